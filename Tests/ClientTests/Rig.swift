import EventLoop
import MQTT
import Testing

@testable import Client

/// A client and a Server that does what the test says, on virtual time.
final class Rig {
    let clock = VirtualClock()
    let loop: EventLoop
    let network: MemoryNetwork
    let server: Server
    let client: MQTTClient
    let record = Record()
    let endpoint = Endpoint.tcp(host: "broker", port: 1883)

    init(_ adjust: (inout MQTTClient.Options) -> Void = { _ in }) throws {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
        var options = MQTTClient.Options()
        options.clientIdentifier = Array("c".utf8)
        adjust(&options)
        server = Server(version: options.version)
        client = MQTTClient(loop: loop, network: network, options: options)
        client.delegate = record
        server.listener = try network.listen(endpoint) { [server] in server.accept($0) }
    }

    func connect() {
        client.connect(to: endpoint)
        settle()
    }

    /// Cuts the connection and connects again.
    func reconnect(sessionPresent: Bool) {
        server.stream?.close()
        settle()
        server.received = []
        server.connack = Connack(sessionPresent: sessionPresent)
        connect()
    }

    func settle() {
        repeat { loop.tick(wait: .zero) } while loop.hasWork
    }

    func pass(_ duration: Duration) {
        settle()
        let end = clock.now + duration
        while let next = loop.nextDeadline, next <= end {
            clock.advance(to: next)
            settle()
        }
        clock.advance(to: end)
        settle()
    }

    func serverSends(_ packet: [UInt8]) {
        server.stream?.write(packet)
        settle()
    }

    func publish(_ payload: String, qos: QoS, identifier: UInt16? = nil) -> UInt16? {
        let result = Array("t".utf8).withUnsafeBytes { topic in
            Array(payload.utf8).withUnsafeBytes {
                client.publish(
                    topic: topic, payload: $0, qos: qos, duplicate: identifier != nil, identifier: identifier)
            }
        }
        settle()
        return result
    }
}

/// The Server's end: remembers what comes, answers CONNECT and, if told to, PINGREQ.
final class Server: ByteStreamDelegate {
    let version: ProtocolVersion
    var listener: (any Listener)?
    var stream: ByteStream?
    var connack: Connack? = Connack()
    var answersPings = true
    var connect: Connect?
    /// Whole packets since the last CONNECT, which isn't among them.
    var received: [[UInt8]] = []
    var isClosed = false

    init(version: ProtocolVersion) { self.version = version }

    func accept(_ stream: ByteStream) {
        self.stream = stream
        isClosed = false
        stream.delegate = self
    }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        var consumed = 0
        while consumed < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
            guard let packet = try? readFrame(rest, maximum: .max, version: version) else { break }
            consumed += packet.length
            switch packet.type {
            case .connect:
                connect = try? Connect(packet)
                if let connack { stream.write(connack.encode(version: version)) }
            case .pingreq:
                received.append([0xC0, 0])
                if answersPings { stream.write(Ping.response) }
            default: received.append(Array(rest[..<packet.length]))
            }
        }
        return consumed
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) { isClosed = true }
}

/// What the client told its delegate, one line a call.
final class Record: MQTTClientDelegate {
    var lines: [String] = []
    var onConnect: ((MQTTClient) -> Void)?
    var onAuth: ((MQTTClient, Auth) -> Void)?
    var onReceive: ((MQTTClient, PublishView) -> Void)?
    var onClose: ((MQTTClient) -> Void)?

    /// The lines since the last look.
    func take() -> [String] {
        defer { lines = [] }
        return lines
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        lines.append(connack.sessionPresent ? "connected, session present" : "connected")
        onConnect?(client)
    }

    func client(_ client: MQTTClient, didRefuse reason: ReasonCode) { lines.append("refused \(reason)") }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {
        let topic = String(decoding: publish.topic, as: UTF8.self)
        lines.append("\(topic)=\(String(decoding: publish.payload, as: UTF8.self)) \(publish.packetIdentifier)")
        onReceive?(client, publish)
    }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        lines.append("acknowledged \(identifier) \(reason)")
    }

    func client(_ client: MQTTClient, mayRelease identifier: UInt16) { lines.append("may release \(identifier)") }

    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
        lines.append("subscribed \(identifier) \(reasons.map(\.rawValue))")
    }

    func client(_ client: MQTTClient, didUnsubscribe identifier: UInt16, reasons: [ReasonCode]) {
        lines.append("unsubscribed \(identifier) \(reasons.map(\.rawValue))")
    }

    func client(_ client: MQTTClient, didReceive auth: Auth) { onAuth?(client, auth) }
    func clientDidMissPing(_ client: MQTTClient) { lines.append("missed ping") }
    func clientDidReceivePong(_ client: MQTTClient) { lines.append("pong") }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        lines.append("closed: \(error)")
        onClose?(client)
    }
}

/// A Server's PUBLISH.
func serverPublish(
    _ topic: String, _ payload: String, qos: QoS = .atMostOnce, identifier: UInt16 = 0, duplicate: Bool = false,
    alias: UInt16 = 0, version: ProtocolVersion = .v5
) -> [UInt8] {
    Array(topic.utf8).withUnsafeBytes { topic in
        Array(payload.utf8).withUnsafeBytes { payload in
            let head = PublishHead(
                topic: topic, qos: qos, isDuplicate: duplicate, packetIdentifier: identifier, topicAlias: alias)
            let length = head.encodedLength(version: version, payloadCount: payload.count)
            return [UInt8](unsafeUninitializedCapacity: length) { bytes, count in
                guard let memory = UnsafeMutableRawBufferPointer(bytes).baseAddress else { return }
                count = head.encode(version: version, payload: payload, into: memory)
            }
        }
    }
}

func acknowledgement(_ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode = .success) -> [UInt8] {
    Acknowledgement(type, packetIdentifier: identifier, reason: reason).encode(version: .v5)
}
