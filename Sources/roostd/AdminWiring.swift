import Admin
import Broker
import Configuration
import EventLoop
import Glibc
import Store
import Uplink

/// The admin interface as roostd puts it up: on its Unix socket, and over TCP where the configuration says so.
final class AdminWiring {
    let admin: Admin
    private let settings: AdminSettings
    private let server: HTTPServer
    private let logger: Logger

    typealias Reloading = (@escaping (String?) -> Void) -> Void

    /// - Parameter reload: reads the configuration again, and tells the reason if it can't.
    init(_ settings: Settings, broker: Broker, logger: Logger, reload: @escaping Reloading) {
        self.settings = settings.admin
        self.logger = logger
        var actions = Admin.Actions()
        actions.reload = reload
        actions.setLogLevel = { logger.level = $0 }
        actions.explain = { $0.explanation }
        actions.log = { logger.log($0, $1) }
        let disk = DiskMeter(clock: broker.loop.clock)
        admin = Admin(
            broker: broker, node: settings.node.id, version: Version.text, disk: disk, actions: actions)
        server = HTTPServer(loop: broker.loop, router: admin.router)
        broker.systemTopics.version = "roost \(Version.text)"
        broker.systemTopics.uplinks = { [unowned admin] in
            admin.uplinks.map(\.report).map { ($0.name, $0.isUp) }
        }
    }

    func listen(on network: any Network) throws(Daemon.Failure) {
        try listen(.unix(path: settings.socket), .peers(user: geteuid(), group: getegid()), network)
        guard let http = settings.http else { return }
        try listen(NetworkEndpoint(http), try access(to: http), network)
    }

    /// Shows these, in the order of the configuration, and what becomes of them.
    func watch(_ uplinks: [Uplink]) {
        admin.uplinks = uplinks
        for uplink in uplinks {
            let before = uplink.onState
            uplink.onState = { [weak self] state in
                before?(state)
                self?.admin.uplinkStateChanged()
                self?.admin.broker.publishUplinkTopics()
            }
        }
    }

    /// Every listener listens.
    func becomeReady() {
        admin.isReady = true
        admin.uplinkStateChanged()
    }

    func close() {
        admin.isReady = false
        server.close()
    }

    private func listen(
        _ endpoint: NetworkEndpoint, _ access: HTTPAccess, _ network: any Network
    ) throws(Daemon.Failure) {
        do throws(NetworkError) {
            let bound = try server.listen(endpoint, on: network, access: access)
            logger.log(.info, "administered at \(bound)")
        } catch {
            let key = if case .unix = endpoint { "admin.socket" } else { "admin.http" }
            throw Daemon.Failure(exitCode: 2, message: error.listening(key))
        }
    }

    /// A token where there is one; without, the configuration allows loopback alone.
    private func access(to endpoint: Configuration.Endpoint) throws(Daemon.Failure) -> HTTPAccess {
        if case .unix = endpoint { return .peers(user: geteuid(), group: getegid()) }
        guard !settings.tokenFile.isEmpty else {
            guard case .network(let host, _) = endpoint, endpoint.isLoopback else {
                throw Daemon.Failure(exitCode: 1, message: "admin.http is not loopback: it needs admin.token_file")
            }
            return .loopback(host: host)
        }
        guard let bytes = File.read(settings.tokenFile, atMost: 4096) else {
            let reason = String(cString: strerror(errno))
            throw Daemon.Failure(exitCode: 1, message: "admin.token_file \(settings.tokenFile): \(reason)")
        }
        let token = bytes.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()
        guard !token.isEmpty, token.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Daemon.Failure(
                exitCode: 1, message: "admin.token_file \(settings.tokenFile): a token is one word of ASCII characters")
        }
        return .token(Array(token))
    }
}
