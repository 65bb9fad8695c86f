import Client
import EventLoop
import Glibc
import MQTT
import Testing

extension EndToEndTests {
    /// Promise 8: a full disk loses nothing that was acknowledged, is answered, and passes without a restart.
    @Suite(.enabled(if: Programs.isRoot, "needs root to mount a small file system"))
    struct FullDiskTests {
        @Test func aFullDiskIsRefusedAndRecoveredFrom() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mount = try Mount(scenario, size: "24m")
            let roostd = try Roostd(scenario, "[store]\nbudget = \"16MiB\"", data: mount.path + "/data")
            try roostd.start()
            // A session that is away wants everything, so everything has to be kept.
            let keeper = LoadSubscriber(scenario, name: "keeper", to: roostd.endpoint)
            try scenario.wait("SUBACK") { keeper.isSubscribed }
            keeper.drop(for: .seconds(86_400))
            // One that stays, at QoS 0, wants no more than to go on.
            let watcher = Watcher(scenario, filter: "watch/#", to: roostd.endpoint)
            try scenario.wait("SUBACK") { watcher.isSubscribed }
            let before = Prober(scenario, "before", version: .v5, count: 300, to: roostd.endpoint)
            try scenario.wait("messages before") { before.isDone }
            #expect(before.accepted.count == 300)

            // Given: somebody else fills the file system.
            try mount.fill()
            // What was taken before the disk was found full may yet be written and waits; from then on all is refused.
            let caught = Prober(scenario, "caught", version: .v5, count: 20, to: roostd.endpoint)
            try scenario.wait("the daemon to say so") { roostd.log.contains("the store fails") }
            let refused = Prober(scenario, "refused", version: .v5, count: 100, to: roostd.endpoint)
            try scenario.wait("refusals on the full disk") { refused.isDone }
            let silent = Prober(scenario, "silent", version: .v311, count: 1, to: roostd.endpoint)
            try scenario.wait("connections to be closed where nothing else can be said") {
                silent.closes > 0 && (caught.closes > 0 || caught.isDone)
            }
            #expect(refused.refusals == [.quotaExceeded: 100])
            #expect(refused.accepted.isEmpty)
            #expect(silent.accepted.isEmpty)
            #expect(caught.isDone || caught.lastError == .serverDisconnected(.quotaExceeded, ""))
            caught.stop()
            refused.stop()
            silent.stop()

            // Then: subscribers go on.
            let chatter = Prober(
                scenario, "chatter", version: .v5, count: 100, qos: .atMostOnce, topic: "watch/a", to: roostd.endpoint)
            try scenario.wait("QoS 0 to reach its subscriber") { watcher.received >= 100 }
            chatter.stop()

            // When there is space again, service is back without a restart.
            mount.empty()
            let after = Prober(scenario, "after", version: .v5, count: 300, retries: true, to: roostd.endpoint)
            try scenario.wait("messages after") { after.accepted.count == 300 }
            #expect(roostd.runs == 1)
            #expect(roostd.isRunning)

            // And nothing that was acknowledged is lost, from a kill either.
            roostd.kill()
            try roostd.start()
            let collector = Watcher(scenario, name: "keeper", filter: "load/#", to: roostd.endpoint)
            let promised = Set(before.accepted + caught.accepted + after.accepted)
            try scenario.wait("\(promised.count) acknowledged messages; \(collector.payloads.count) came") {
                promised.isSubset(of: collector.payloads)
            }
        }
    }
}

/// A subscriber that takes anything.
final class Watcher: MQTTClientDelegate {
    private let client: MQTTClient
    private let filter: String
    private(set) var isSubscribed = false
    private(set) var received = 0
    private(set) var payloads: Set<String> = []

    /// - Parameter name: of a session to continue; nil: a new one that ends with the connection.
    init(_ scenario: Scenario, name: String? = nil, filter: String, to endpoint: Endpoint) {
        self.filter = filter
        var options = MQTTClient.Options()
        options.cleanStart = name == nil
        options.clientIdentifier = Array((name ?? "watcher").utf8)
        options.sessionExpiryInterval = name == nil ? 0 : 3600
        client = MQTTClient(loop: scenario.loop, network: scenario.network, options: options)
        client.delegate = self
        client.connect(to: endpoint)
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        _ = client.subscribe([Subscription(filter: Array(filter.utf8), qos: .exactlyOnce)])
    }

    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) { isSubscribed = true }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {
        received += 1
        payloads.insert(String(decoding: publish.payload.prefix { $0 != 0 }, as: UTF8.self))
    }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {}

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {}
}

/// Publishes named messages and writes down how each was answered.
final class Prober: MQTTClientDelegate {
    private let client: MQTTClient
    private unowned let scenario: Scenario
    private let endpoint: Endpoint
    private let name: String
    private let topic: String
    private let qos: QoS
    private let count: Int
    private let retries: Bool
    private var next = 0
    private var again: [Int] = []
    private var sent: [UInt16: Int] = [:]
    private var stopped = false

    private(set) var accepted: [String] = []
    private(set) var refusals: [ReasonCode: Int] = [:]
    private(set) var closes = 0
    private(set) var lastError: MQTTClientError?

    /// - Parameter retries: what is refused is published once more, after a while.
    init(
        _ scenario: Scenario, _ name: String, version: ProtocolVersion, count: Int, qos: QoS = .atLeastOnce,
        topic: String = "load/x", retries: Bool = false, to endpoint: Endpoint
    ) {
        self.scenario = scenario
        self.endpoint = endpoint
        self.name = name
        self.topic = topic
        self.qos = qos
        self.count = count
        self.retries = retries
        var options = MQTTClient.Options()
        options.clientIdentifier = Array("prober-\(name)".utf8)
        options.version = version
        options.sendMaximum = 20
        client = MQTTClient(loop: scenario.loop, network: scenario.network, options: options)
        client.delegate = self
        client.connect(to: endpoint)
    }

    var isDone: Bool { next == count && sent.isEmpty }

    func stop() {
        stopped = true
        client.abort()
    }

    private func pump() {
        while client.room > 0, next < count || !again.isEmpty {
            let number = again.last ?? next
            guard let identifier = client.publish(topic: topic, payload: payload(number), qos: qos) else { return }
            if again.popLast() == nil { next += 1 }
            if qos != .atMostOnce { sent[identifier] = number }
        }
    }

    /// A name, and a kilobyte that doesn't compress.
    private func payload(_ number: Int) -> [UInt8] {
        Array("\(name) \(number)".utf8) + [0]
            + (0..<1000).map { _ in UInt8.random(in: 0...255, using: &scenario.random) }
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) { pump() }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {}

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        guard let number = sent.removeValue(forKey: identifier) else { return }
        if reason.isError {
            refusals[reason, default: 0] += 1
            if retries {
                scenario.loop.schedule(after: .milliseconds(100)) { [weak self] in
                    self?.again.append(number)
                    self?.pump()
                }
            }
        } else {
            accepted.append("\(name) \(number)")
        }
        pump()
    }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        closes += 1
        lastError = error
        again += sent.values
        sent = [:]
        guard retries, !stopped else { return }
        scenario.loop.schedule(after: .milliseconds(100)) { [weak self] in
            guard let self else { return }
            self.client.connect(to: self.endpoint)
        }
    }
}
