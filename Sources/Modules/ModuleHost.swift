import Broker
import Configuration
import EventLoop
import Glibc

/// Runs the modules: a supervised process for each `[[module]]`, on the broker's loop.
public final class ModuleHost: Attendance {
    let loop: EventLoop
    let broker: Broker
    let surroundings: ModuleSurroundings
    let limits: BrokerLimits
    let log: (Severity, String) -> Void
    private let network: SocketNetwork
    private let access: ModuleAccess
    private let sockets: ModuleSockets
    var patience = ModulePatience()
    /// In the order of the configuration, those that leave it last.
    private var modules: [Module] = []
    /// Modules that are no longer configured, until their processes have ended.
    private var leaving: Set<ObjectIdentifier> = []

    /// - Parameters:
    ///   - limits: of any client. What is meant for many strangers doesn't bind modules: rates, and how many there may be.
    ///   - access: the broker's.
    public init(
        broker: Broker, network: SocketNetwork, access: ModuleAccess, surroundings: ModuleSurroundings,
        limits: BrokerLimits, log: @escaping (Severity, String) -> Void
    ) {
        loop = broker.loop
        self.broker = broker
        self.network = network
        self.access = access
        self.surroundings = surroundings
        self.log = log
        var limits = limits
        limits.publishRate = 0
        limits.connectRate = 0
        limits.connections = 0
        limits.sessions = 0
        limits.acceptsEmptyClientIdentifier = true
        self.limits = limits
        sockets = ModuleSockets(data: surroundings.data, network: network)
        access.host = self
    }

    /// Starts the modules.
    public func start(_ settings: [ModuleSettings]) { apply(settings) }

    /// Has exactly these modules from now on: those that are new are started, those that are gone are ended, and those whose
    /// process was started with something else are ended and started again. Rights are others at once; what stands is judged
    /// anew by `Broker.accessChanged()`.
    public func apply(_ settings: [ModuleSettings]) {
        var next: [Module] = []
        for wanted in settings {
            access.know(wanted)
            if let module = modules.first(where: { $0.settings.name == wanted.name }) {
                next.append(module)
                if leaving.remove(ObjectIdentifier(module)) != nil || module.settings.startsOtherwise(than: wanted) {
                    module.restart(with: wanted)
                } else {
                    module.adopt(wanted)
                }
            } else {
                let module = Module(wanted, host: self)
                next.append(module)
                module.start()
            }
        }
        let gone = modules.filter { old in !next.contains { $0 === old } }
        modules = next + gone
        for module in gone where leaving.insert(ObjectIdentifier(module)).inserted {
            module.stop { [weak self, weak module] in
                guard let self, let module, leaving.remove(ObjectIdentifier(module)) != nil else { return }
                modules.removeAll { $0 === module }
                access.forget(module.settings.name)
                _ = broker.accessChanged()
            }
        }
    }

    /// Ends all modules, before the broker ends their connections.
    ///
    /// - Parameters:
    ///   - grace: how long they have until they are killed.
    ///   - then: called once, when all have ended.
    public func stop(within grace: Duration, then: @escaping () -> Void) {
        var left = modules.count + 1
        let done = { [sockets] in
            left -= 1
            guard left == 0 else { return }
            sockets.close()
            then()
        }
        leaving = []
        for module in modules { module.stop(within: grace, then: done) }
        done()
    }

    /// Ends a module if it runs, and starts it. False: there is none of this name.
    public func restart(_ name: String) -> Bool {
        guard let module = modules.first(where: { $0.settings.name == name }),
            !leaving.contains(ObjectIdentifier(module))
        else { return false }
        module.restart()
        return true
    }

    public var reports: [ModuleReport] { modules.map(\.report) }

    func password(of name: String) -> [UInt8]? { modules.first { $0.settings.name == name }?.password }

    // MARK: - Connections

    /// Whose password it is.
    func login(_ userName: [UInt8], _ password: [UInt8]) -> Module? {
        guard let name = ModuleAccess.module(of: userName),
            let module = modules.first(where: { $0.settings.name == name }), let own = module.password
        else { return nil }
        return ModulePassword.isSame(own, password) ? module : nil
    }

    /// A module's end of descriptor 3. A module that comes over the socket instead never speaks on it, and is no connection.
    func accept(_ socket: consuming Descriptor, _ door: ListenerOptions, peer: String) {
        guard let stream = try? network.adopt(socket, peer: peer) else { return }
        FirstBytes(of: stream, until: loop.now + .seconds(100 * 365 * 86_400)) { [broker] _ in
            .handOver(dropping: 0) { broker.accept($0, listener: door) }
        } ended: { _ in
        }
    }

    private lazy var door: ListenerOptions = {
        let door = ListenerOptions(anonymous: .never, limits: limits, isInternal: true)
        door.attendance = self
        return door
    }()

    /// Where a module of this user can connect to.
    func socketPath(for user: ModuleUser?) throws(ModuleFailure) -> String {
        do throws(NetworkError) {
            return try sockets.path(for: user) { [unowned self] in broker.accept($0, listener: door) }
        } catch {
            throw ModuleFailure("no socket for modules: \(error)", isPassing: true)
        }
    }

    public func clientDidArrive(_ identity: ClientIdentity) { module(of: identity)?.clientDidArrive(identity) }
    public func clientDidLeave(_ identity: ClientIdentity) { module(of: identity)?.clientDidLeave(identity) }

    private func module(of identity: ClientIdentity) -> Module? {
        guard let name = ModuleAccess.module(of: identity.userName) else { return nil }
        return modules.first { $0.settings.name == name }
    }
}

extension ModuleSettings {
    /// Whether a process that was started with these settings has to be started again for those.
    public func startsOtherwise(than other: ModuleSettings) -> Bool {
        var other = other
        // What the host alone looks at.
        other.publish = publish
        other.subscribe = subscribe
        other.restart = restart
        return self != other
    }
}
