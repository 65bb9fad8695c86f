/// What the network needs of the world.
protocol SimulatedTime: AnyObject {
    /// Nanoseconds since the simulation began.
    var now: Int64 { get }
    var trace: Trace { get }
    func plan(at time: Int64, _ body: @escaping () -> Void)
}

/// Who has ends of connections: a process that may die, or the clients' machines, which never do.
class Host {
    let name: String
    init(_ name: String) { self.name = name }
    /// False once its process was killed or its power went.
    var isAlive: Bool { true }
    /// Its machine runs, so that packets for a process that is gone are answered with a reset.
    var isPowered: Bool { true }
    /// It is about to do something that others see; false: it died before.
    func mayAct() -> Bool { true }
}

/// One end of a connection.
class SimulatedEnd {
    /// Lives as long as its world: what a process that was killed leaves behind may hold its ends for ever.
    unowned let host: Host
    fileprivate(set) weak var connection: SimulatedConnection?
    fileprivate var isNear = false
    /// It has closed, or was told of the end.
    fileprivate(set) var isOver = false

    init(host: Host) { self.host = host }

    func received(_ bytes: [UInt8]) {}
    /// The other end has closed in good order, or (`reset`) the connection is broken. Last.
    func ended(reset: Bool) {}
    /// The other end has taken so many bytes.
    func taken(_ count: Int) {}

    fileprivate func hear(reset: Bool) {
        guard !isOver else { return }
        isOver = true
        ended(reset: reset)
    }
}

/// A connection as TCP makes it: what is sent arrives in order or not at all, and an end whose machine lost its power
/// says nothing until it is up again and is asked.
final class SimulatedConnection {
    static let windowBytes = 64 << 10

    let number: Int
    let link: SimulatedNetwork.Link
    private unowned let network: SimulatedNetwork
    private var near: SimulatedEnd?
    private var far: SimulatedEnd?
    // By direction: from the near end, from the far end.
    private var lastArrival: [Int64] = [0, 0]
    private var freeAt: [Int64] = [0, 0]

    init(_ number: Int, _ network: SimulatedNetwork, _ link: SimulatedNetwork.Link) {
        self.number = number
        self.network = network
        self.link = link
    }

    func join(_ near: SimulatedEnd, _ far: SimulatedEnd) {
        self.near = near
        self.far = far
        near.connection = self
        far.connection = self
        near.isNear = true
    }

    func end(of host: Host) -> SimulatedEnd? {
        if let near, near.host === host { return near }
        if let far, far.host === host { return far }
        return nil
    }

    func peer(of end: SimulatedEnd) -> Host? { end === near ? far?.host : near?.host }

    // MARK: What ends do

    func send(_ bytes: [UInt8], from end: SimulatedEnd) {
        guard !end.isOver, end.host.mayAct() else { return }
        let trace = network.world.trace
        trace.mix(number << 1 | (end.isNear ? 1 : 0))
        trace.mix(Int(network.world.now))
        bytes.withUnsafeBytes { trace.mix($0) }
        trace.detail("\(end.host.name) on \(number): \(bytes.count) bytes, \(String(bytes[0] >> 4))")
        say(end, bytes: bytes.count) { $0.received(bytes) }
    }

    func close(_ end: SimulatedEnd, reset: Bool = false) {
        guard !end.isOver else { return }
        end.isOver = true
        network.forget(self)
        guard end.host.mayAct() else { return }
        say(end) { $0.hear(reset: reset) }
    }

    /// The end's machine goes on without a word, or its process was killed and the kernel closes what it had open.
    func abandon(_ end: SimulatedEnd, tells: Bool) {
        guard !end.isOver else { return }
        end.isOver = true
        if tells {
            network.forget(self)
            say(end) { $0.hear(reset: true) }
        }
    }

    func took(_ count: Int, by end: SimulatedEnd) {
        guard !end.isOver, end.host.isAlive else { return }
        say(end) { $0.taken(count) }
    }

    /// The far end has accepted: the near end's first news.
    func open(_ completion: @escaping () -> Void) {
        guard let far else { return }
        say(far) { _ in completion() }
    }

    /// Breaks at both ends at once.
    func reset() {
        network.forget(self)
        for end in [near, far] { if let end, end.host.isAlive { end.hear(reset: true) } }
    }

    // MARK: Underneath

    /// What `end` says now arrives at the other end, in order.
    private func say(_ end: SimulatedEnd, bytes: Int = 0, _ body: @escaping (SimulatedEnd) -> Void) {
        let way = end.isNear ? 0 : 1
        var arrival = network.travel(link)
        if let rate = link.rate, bytes > 0 {
            freeAt[way] = max(network.world.now, freeAt[way]) + Int64(bytes) * 1_000_000_000 / Int64(max(rate, 1))
            arrival = max(arrival, freeAt[way] + link.delay)
        }
        lastArrival[way] = max(lastArrival[way], arrival)
        let toNear = !end.isNear
        network.carry(over: link, at: lastArrival[way]) { [self] in
            guard let target = toNear ? near : far else { return }
            if target.host.isAlive, !target.isOver { return body(target) }
            // Nobody is there any more. A machine that runs says so; one without power is silent.
            if target.host.isPowered, bytes > 0 { refuse(end) }
        }
    }

    private func refuse(_ end: SimulatedEnd) {
        network.carry(over: link, at: network.travel(link)) { [network] in
            guard end.host.isAlive else { return }
            network.forget(self)
            end.hear(reset: true)
        }
    }
}
