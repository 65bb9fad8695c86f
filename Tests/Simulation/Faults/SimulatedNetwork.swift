import EventLoop

/// Everything between the programs of a simulation: hosts that listen, links between them with a delay, a rate and
/// troubles of their own, and connections that behave as TCP's do.
final class SimulatedNetwork {
    /// The way between two places, both directions.
    final class Link {
        enum State { case up, silent, broken }

        let name: String
        var state = State.up
        /// Nanoseconds of travel, and how much more it may be.
        var delay: Int64
        var jitter: Int64
        /// Bytes a second in each direction; nil: no limit.
        var rate: Int?
        fileprivate var held: [() -> Void] = []
        var connections: [Int: SimulatedConnection] = [:]

        init(_ name: String, delay: Int64, jitter: Int64) {
            self.name = name
            self.delay = delay
            self.jitter = jitter
        }
    }

    unowned let world: any SimulatedTime
    private var listeners: [String: SimulatedListener] = [:]
    private var connectionCount = 0
    var random: SimulationRandom

    init(world: any SimulatedTime, seed: UInt64) {
        self.world = world
        random = SimulationRandom(seed: seed)
    }

    func listen(_ listener: SimulatedListener, on endpoint: Endpoint) -> Bool {
        guard listeners[endpoint.description] == nil else { return false }
        listeners[endpoint.description] = listener
        return true
    }

    func forget(_ listener: SimulatedListener) {
        for (name, known) in listeners where known === listener { listeners[name] = nil }
    }

    func listener(at endpoint: Endpoint) -> SimulatedListener? { listeners[endpoint.description] }

    /// Nobody of this process listens any more.
    func forgetListeners(of host: Host) {
        for (name, listener) in listeners where listener.host === host { listeners[name] = nil }
    }

    // MARK: Carrying

    /// Has `body` happen at `time` or, where the link is silent then, once it speaks again; in the order of calls.
    func carry(over link: Link, at time: Int64, _ body: @escaping () -> Void) {
        world.plan(at: time) {
            if link.state == .silent || !link.held.isEmpty { link.held.append(body) } else { body() }
        }
    }

    func travel(_ link: Link) -> Int64 {
        // In tenths of a millisecond: what arrives together is read together.
        let extra = link.jitter > 0 ? Int64(random.below(Int(link.jitter / 100_000) + 1)) * 100_000 : 0
        return world.now + link.delay + extra
    }

    // MARK: Connecting

    /// `completion` gets the near end, or nil where nobody answers; while the link is silent nothing comes at all.
    func connect(
        from near: SimulatedEnd, to endpoint: Endpoint, over link: Link, _ completion: @escaping (Bool) -> Void
    ) {
        guard link.state != .broken else {
            world.plan(at: world.now) { completion(false) }
            return
        }
        carry(over: link, at: travel(link)) { [self] in
            guard let listener = listener(at: endpoint), listener.host.isAlive else {
                carry(over: link, at: travel(link)) { completion(false) }
                return
            }
            connectionCount += 1
            let connection = SimulatedConnection(connectionCount, self, link)
            link.connections[connection.number] = connection
            let far = listener.makeEnd()
            connection.join(near, far)
            // The near end hears of it before anything that the far end sends.
            connection.open { completion(true) }
            listener.accept(far, connection)
        }
    }

    func forget(_ connection: SimulatedConnection) { connection.link.connections[connection.number] = nil }

    // MARK: Troubles

    func cut(_ link: Link, silently: Bool) {
        link.state = silently ? .silent : .broken
        guard !silently else { return }
        link.held = []
        for connection in link.connections.sorted(by: { $0.key < $1.key }) { connection.value.reset() }
    }

    func restore(_ link: Link) {
        link.state = .up
        let held = link.held
        link.held = []
        for body in held { body() }
    }

    /// The connections that a host has an end of, in the order in which they were made.
    func connections(of host: Host, over links: [Link]) -> [SimulatedConnection] {
        links.flatMap { $0.connections.values }.filter { $0.end(of: host) != nil }.sorted { $0.number < $1.number }
    }
}
