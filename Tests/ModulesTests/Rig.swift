import Client
import Configuration
import EventLoop
import Glibc
import MQTT
import Store
import Testing

@testable import Broker
@testable import Modules

/// A broker and modules on a real loop, with real processes: a test turns the loop until what it waits for has happened.
final class Rig {
    let loop: EventLoop
    let network: SocketNetwork
    let broker: Broker
    let host: ModuleHost
    let directory: String
    private let store: StoreStep
    private(set) var lines: [String] = []
    /// Payloads by topic, as a client sees them that may see all.
    private(set) var received: [String: [String]] = [:]
    private let listener: any Listener

    static let python: String? = ["/usr/bin/python3", "/usr/local/bin/python3"].first { (path: String) in
        access(path, X_OK) == 0
    }
    static let package = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
    static let script = #filePath.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/child.py"

    private final class Box {
        weak var rig: Rig?
        weak var log: Log?
    }

    /// - Parameter known: modules that the access control knows from the start, for sessions of an earlier run.
    init(in directory: String? = nil, known: [ModuleSettings] = []) throws {
        signal(SIGPIPE, SIG_IGN)
        var template = Array("/tmp/roost-modules-XXXXXX".utf8CString)
        self.directory = directory ?? String(cString: mkdtemp(&template))
        loop = try EventLoop()
        network = SocketNetwork(loop: loop)
        let database = try Database.open(path: self.directory)
        let state = try database.load()
        let box = Box()
        let store = StoreStep(database: database) { box.log?.handle($0) }
        let log = Log(loop: loop, engine: store, options: LogOptions(), state: state)
        box.log = log
        let access = ModuleAccess(OpenAccess(), modules: known)
        let broker = Broker(log: log, state: state, access: access)
        broker.logger = { level, line in box.rig?.lines.append("\(level): \(line)") }
        host = ModuleHost(
            broker: broker, network: network, access: access,
            surroundings: ModuleSurroundings(node: "node-1", data: self.directory), limits: BrokerLimits()
        ) { level, line in box.rig?.lines.append("\(level): \(line)") }
        self.store = store
        self.broker = broker
        let options = ListenerOptions(anonymous: .always)
        listener = try network.listen(.unix(path: "\(self.directory)/mqtt.sock")) {
            broker.accept($0, listener: options)
        }
        box.rig = self
    }

    deinit {
        var isDone = false
        host.stop(within: .milliseconds(100)) { isDone = true }
        while !isDone { turn() }
        broker.log.close([]) {}
        store.drain()
        listener.close()
        loop.tearDown()
    }

    /// For the last one in a directory.
    func removeDirectory() { _ = system("rm -rf '\(directory)'") }

    // MARK: - Turning

    func turn() {
        loop.tick(wait: .milliseconds(10))
        store.drain()
    }

    func wait(_ what: String, until condition: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try !condition() {
            guard ContinuousClock.now < deadline else {
                throw Failure(description: "waited in vain: \(what)\n\(lines.suffix(40).joined(separator: "\n"))")
            }
            turn()
        }
    }

    func wait(line text: String) throws { try wait(text) { lines.contains { $0.contains(text) } } }

    struct Failure: Error, CustomStringConvertible { let description: String }

    // MARK: - Modules

    /// A module that runs `child.py` with a table of this TOML.
    static func module(
        _ name: String, _ toml: String = "", longest: String = "200ms"
    ) throws -> ModuleSettings {
        try settings(
            """
            name = "\(name)"
            program = "\(python ?? "python3")"
            args = ["\(script)"]
            restart = { min = "50ms", max = "\(longest)" }
            \(toml)
            """)
    }

    /// As the configuration's reader makes it.
    static func settings(_ toml: String) throws -> ModuleSettings {
        try #require(Settings.parse(Array("[[module]]\n\(toml)".utf8)).expanded().modules.first)
    }

    func report(_ name: String) throws -> ModuleReport { try #require(host.reports.first { $0.name == name }) }

    func waitForState(_ state: ModuleReport.State, of name: String) throws {
        try wait("\(name) to be \(state.rawValue)") { try report(name).state == state }
    }

    func start(_ modules: ModuleSettings...) { host.start(modules) }

    // MARK: - A client

    private var client: MQTTClient?
    private var reader: Reader?

    /// Takes what is published to a filter from now on.
    func watch(_ filter: String) throws {
        var options = MQTTClient.Options()
        options.clientIdentifier = Array("watcher".utf8)
        let client = MQTTClient(loop: loop, network: network, options: options)
        let reader = Reader(filter) { [unowned self] topic, payload in received[topic, default: []].append(payload) }
        client.delegate = reader
        client.connect(to: .unix(path: "\(directory)/mqtt.sock"))
        self.client = client
        self.reader = reader
        try wait("SUBACK") { reader.isSubscribed }
    }

    func publish(_ topic: String, _ payload: String) {
        Array(topic.utf8).withUnsafeBytes { topic in
            Array(payload.utf8).withUnsafeBytes { payload in
                let view = PublishView(topic: topic, payload: payload, qos: .atLeastOnce, retain: false)
                _ = broker.route(view, from: .node, waiter: nil, ticket: 0)
            }
        }
    }

    private final class Reader: MQTTClientDelegate {
        private let filter: String
        private let take: (String, String) -> Void
        private(set) var isSubscribed = false

        init(_ filter: String, _ take: @escaping (String, String) -> Void) {
            self.filter = filter
            self.take = take
        }

        func client(_ client: MQTTClient, didConnect connack: Connack) {
            _ = client.subscribe([Subscription(filter: Array(filter.utf8), qos: .atLeastOnce)])
        }

        func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
            isSubscribed = true
        }

        func client(_ client: MQTTClient, didReceive publish: PublishView) {
            take(String(decoding: publish.topic, as: UTF8.self), String(decoding: publish.payload, as: UTF8.self))
        }

        func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {}
        func client(_ client: MQTTClient, didClose error: MQTTClientError) {}
    }
}

/// Whether a process is there and no zombie.
func isAlive(_ process: Int32) -> Bool {
    let descriptor = open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = read(descriptor, &bytes, bytes.count)
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    return text.split(separator: ")").last.map { !$0.hasPrefix(" Z") } ?? false
}
