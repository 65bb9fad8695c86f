import Client
import EventLoop
import MQTT

/// Which message, of all that a test publishes; written in its payload.
struct MessageName: Hashable, CustomStringConvertible {
    var publisher: Int
    var number: Int
    var qos: QoS
    /// One of the publisher's topics for this QoS.
    var topic: Int

    /// `p` and `q` in `load/p/q/t`: what an order is promised for.
    var stream: String { "load/\(publisher)/\(qos.rawValue)/\(topic)" }
    var description: String { "\(stream)#\(number)" }

    init(publisher: Int, number: Int) {
        self.publisher = publisher
        self.number = number
        qos = number % 2 == 0 ? .atLeastOnce : .exactlyOnce
        topic = number / 2 % 3
    }

    init?(topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        guard payload.count >= 8 else { return nil }
        let publisher = payload.loadUnaligned(as: UInt32.self)
        let number = payload.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        self.init(publisher: Int(publisher), number: Int(number))
        guard Array(topic) == Array(stream.utf8) else { return nil }
    }

    /// The two numbers, and filling.
    var payload: [UInt8] {
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 8 + 40 + number % 60)
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(of: UInt32(publisher), as: UInt32.self)
            $0.storeBytes(of: UInt32(number), toByteOffset: 4, as: UInt32.self)
        }
        return bytes
    }
}

/// Publishes numbered messages at QoS 1 and 2 as fast as its window lets it, keeps its session over lost connections, and
/// sends again what wasn't acknowledged, as MQTT has it: the same identifiers, the same order, DUP set.
final class LoadPublisher: MQTTClientDelegate {
    let index: Int
    let count: Int
    private let window: Int
    private let endpoint: Endpoint
    private let client: MQTTClient
    private unowned let scenario: Scenario

    /// Sent and not acknowledged, in order; entries before `front` are done.
    private var sent: [(identifier: UInt16, number: Int, done: Bool)] = []
    private var front = 0
    private var outstanding = 0
    private var next = 0
    private var hadSession = false

    /// Messages that are promised: PUBACK, or PUBREC and PUBCOMP.
    private(set) var acknowledged: [Bool]
    private(set) var acknowledgedCount = 0
    /// QoS 1 messages sent again, and how often: their copies are ours, not the broker's.
    private(set) var resent: [Int: Int] = [:]
    private(set) var connections = 0
    /// What must not happen: a session lost, a refusal.
    private(set) var complaints: [String] = []

    init(_ scenario: Scenario, _ index: Int, count: Int, window: Int = 100, to endpoint: Endpoint) {
        self.scenario = scenario
        self.index = index
        self.count = count
        self.window = window
        self.endpoint = endpoint
        acknowledged = Array(repeating: false, count: count)
        var options = MQTTClient.Options()
        options.clientIdentifier = Array("publisher-\(index)".utf8)
        options.version = index % 2 == 0 ? .v5 : .v311
        options.cleanStart = false
        options.sessionExpiryInterval = 3600
        options.sendMaximum = UInt16(window)
        client = MQTTClient(loop: scenario.loop, network: scenario.network, options: options)
        client.delegate = self
        connect()
    }

    var isDone: Bool { acknowledgedCount == count }

    private func connect() { client.connect(to: endpoint) }

    private func pump() {
        while client.room > 0, outstanding < window, next < count {
            let name = MessageName(publisher: index, number: next)
            guard let identifier = client.publish(topic: name.stream, payload: name.payload, qos: name.qos) else {
                return
            }
            sent.append((identifier, next, false))
            outstanding += 1
            next += 1
        }
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        connections += 1
        if hadSession && !connack.sessionPresent { complaints.append("the session of publisher \(index) is gone") }
        hadSession = true
        for entry in sent[front...] where !entry.done {
            let name = MessageName(publisher: index, number: entry.number)
            if name.qos == .atLeastOnce { resent[entry.number, default: 0] += 1 }
            Array(name.stream.utf8).withUnsafeBytes { topic in
                name.payload.withUnsafeBytes { payload in
                    // Nil for those whose PUBREC had come: the client has sent PUBREL again.
                    _ = client.publish(
                        topic: topic, payload: payload, qos: name.qos, duplicate: true, identifier: entry.identifier)
                }
            }
        }
        pump()
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {}

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        guard let place = sent[front...].firstIndex(where: { $0.identifier == identifier && !$0.done }) else {
            complaints.append("publisher \(index) got an acknowledgement of nothing")
            return
        }
        sent[place].done = true
        outstanding -= 1
        if reason.isError {
            complaints.append("publisher \(index), message \(sent[place].number): \(reason.name)")
        } else {
            acknowledged[sent[place].number] = true
            acknowledgedCount += 1
        }
        while front < sent.count, sent[front].done { front += 1 }
        if front > 4096 {
            sent.removeFirst(front)
            front = 0
        }
        pump()
    }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        scenario.loop.schedule(after: .milliseconds(20)) { [weak self] in self?.connect() }
    }

    var state: String {
        "publisher \(index): \(acknowledgedCount) of \(count) acknowledged, \(outstanding) outstanding, "
            + "\(client.isConnected ? "connected" : "not connected"), \(connections) connections, \(resent.count) resent"
    }
}
