import EventLoop
import Glibc
import MQTT

@testable import Broker
@testable import Store

/// One run of the broker.
final class FuzzNode {
    let loop: EventLoop
    let store: StoreStep
    let log: Log
    let broker: Broker
    private let network: MemoryNetwork
    private var listeners: [any Listener] = []
    private let access = FuzzAccess()

    static var limits: BrokerLimits {
        var limits = BrokerLimits()
        limits.packetBytes = 4096
        limits.inflight = 4
        limits.sessionMessages = 20
        limits.sessionBytes = 20_000
        limits.outputBytes = 20_000
        limits.sessionExpiry = 60
        limits.topicLevels = 4
        limits.topicAliases = 3
        limits.subscriptions = 5
        limits.retained = 5
        limits.sessions = 6
        limits.keepAlive = 60
        return limits
    }

    private final class Reports { weak var log: Log? }

    init(_ clock: VirtualClock, _ directory: String) {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
        var databaseOptions = DatabaseOptions()
        databaseOptions.ballastBytes = 0
        var options = LogOptions()
        options.memoryBytes = 20_000
        let reports = Reports()
        do {
            let database = try Database.open(path: directory, options: databaseOptions)
            let state = try database.load()
            store = StoreStep(database: database) { reports.log?.handle($0) }
            log = Log(loop: loop, engine: store, options: options, state: state)
            reports.log = log
            broker = Broker(log: log, state: state, limits: Self.limits, access: access)
            for index in 0..<4 {
                let options = Self.options(index)
                access.listeners.append(options)
                listeners.append(
                    try network.listen(Self.endpoint(index), options: ListenOptions()) { [unowned broker] stream in
                        if broker.mayConnect(stream, at: options) { broker.accept(stream, listener: options) }
                    })
            }
        } catch { preconditionFailure("the node does not start: \(error)") }
        run()
    }

    private static func endpoint(_ index: Int) -> Endpoint { .tcp(host: "127.0.0.1", port: UInt16(1883 + index)) }

    /// Each client has a listener of its own, with limits and rights of its own.
    private static func options(_ index: Int) -> ListenerOptions {
        var limits = limits
        if index == 1 {
            limits.publishRate = 5
            limits.maximumQoS = 1
        }
        if index == 2 {
            limits.checksUTF8 = true
            limits.topicLevels = 2
            limits.payloadBytes = 100
            limits.connectRate = 3
        }
        return ListenerOptions(anonymous: .always, limits: limits)
    }

    func open(_ index: Int) -> FuzzClient? {
        var opened: ByteStream?
        _ = network.connect(to: Self.endpoint(index), timeout: .seconds(1)) { result in
            guard case .success(let stream) = result else { return }
            stream.pauseReading()
            opened = stream
        }
        run()
        return opened.map { FuzzClient($0, FuzzAccess.readable[index]) }
    }

    func run() {
        var rounds = 0
        repeat {
            loop.tick(wait: .zero)
            rounds += 1
            precondition(rounds < 100_000, "the node never comes to rest")
        } while store.step() || loop.hasWork
    }

    func kill() { loop.tearDown() }

    static func remove(_ directory: String) {
        guard let listing = opendir(directory) else { return }
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            unlink("\(directory)/\(name)")
        }
        closedir(listing)
        rmdir(directory)
    }
}
