import EventLoop
import MQTT
import Testing

/// A PUBLISH as a client received it.
struct Delivery: Equatable, CustomStringConvertible {
    var topic: String
    var payload: String
    var qos: QoS
    var retain = false
    var isDuplicate = false
    var identifier: UInt16 = 0
    var expiry: UInt32?
    var subscriptionIdentifiers: [UInt32] = []
    var userProperties: [String] = []

    /// Enough for most comparisons: "topic=payload/1", with r for RETAIN and d for DUP.
    var description: String {
        "\(topic)=\(payload)/\(qos.rawValue)\(retain ? "r" : "")\(isDuplicate ? "d" : "")"
    }
}

/// What comes to a client, in order.
enum Received: Equatable {
    case connack(Connack)
    case publish(Delivery)
    case acknowledgement(Acknowledgement)
    case suback(Suback)
    case unsuback(Unsuback)
    case pingresp
    case disconnect(ReasonCode)
    case auth(Auth)
    case other(PacketType)
}

/// A raw MQTT client: it sends what it is told to and answers nothing by itself, unless `acknowledges` is set.
final class TestClient: ByteStreamDelegate {
    let stream: ByteStream
    let version: ProtocolVersion
    private unowned let node: Node
    private(set) var received: [Received] = []
    private(set) var isClosed = false
    private(set) var connack: Connack?
    /// Answers PUBLISH and PUBREL as a good client does.
    var acknowledges = false
    private var lastIdentifier: UInt16 = 0

    init(_ stream: ByteStream, _ version: ProtocolVersion, node: Node) {
        self.stream = stream
        self.version = version
        self.node = node
        stream.delegate = self
        stream.resumeReading()
    }

    // MARK: Sending

    func send(_ bytes: [UInt8]) { stream.write(bytes) }

    func connect(
        _ identifier: String, clean: Bool = true, expiry: UInt32? = nil, keepAlive: UInt16 = 0, will: Will? = nil,
        receiveMaximum: UInt16 = 65_535, maximumPacketSize: UInt32? = nil, user: String? = nil
    ) {
        let connect = Connect(
            version: version, clientIdentifier: [UInt8](identifier.utf8), cleanStart: clean, keepAlive: keepAlive,
            will: will, username: user.map { [UInt8]($0.utf8) }, sessionExpiryInterval: expiry,
            receiveMaximum: receiveMaximum,
            maximumPacketSize: maximumPacketSize)
        send(connect.encode())
    }

    func nextIdentifier() -> UInt16 {
        lastIdentifier += 1
        return lastIdentifier
    }

    /// Sends one SUBSCRIBE and nothing else; returns its Packet Identifier.
    @discardableResult
    func subscribe(_ filters: Subscription..., identifier: UInt32? = nil) -> UInt16 {
        let packet = Subscribe(
            packetIdentifier: nextIdentifier(), filters: filters, subscriptionIdentifier: identifier)
        send(packet.encode(version: version))
        return packet.packetIdentifier
    }

    /// Subscribes, and takes the SUBACK out of what was received.
    @discardableResult
    func subscribed(
        _ filter: String, _ qos: QoS = .atLeastOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .send, identifier: UInt32? = nil
    ) -> [ReasonCode] {
        subscribe(
            .to(
                filter, qos, noLocal: noLocal, retainAsPublished: retainAsPublished, retainHandling: retainHandling),
            identifier: identifier)
        node.run()
        for (index, packet) in received.enumerated() {
            if case .suback(let suback) = packet {
                received.remove(at: index)
                return suback.reasons
            }
        }
        return []
    }

    /// Sends one PUBLISH; returns its Packet Identifier.
    @discardableResult
    func publish(
        _ topic: String, _ payload: String, _ qos: QoS = .atMostOnce, retain: Bool = false, isDuplicate: Bool = false,
        identifier: UInt16? = nil, expiry: UInt32? = nil, alias: UInt16 = 0, properties: [UInt8] = []
    ) -> UInt16 {
        let packetIdentifier = qos == .atMostOnce ? 0 : identifier ?? nextIdentifier()
        var topic = topic
        var payload = payload
        send(
            topic.withUTF8 { topic in
                payload.withUTF8 { payload in
                    properties.withUnsafeBytes { properties in
                        let head = PublishHead(
                            topic: UnsafeRawBufferPointer(topic), qos: qos, isDuplicate: isDuplicate, retain: retain,
                            packetIdentifier: packetIdentifier, properties: properties, messageExpiryInterval: expiry,
                            topicAlias: alias)
                        let count = head.encodedLength(version: version, payloadCount: payload.count)
                        return [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
                            guard let base = UnsafeMutableRawPointer(buffer.baseAddress) else { return }
                            written = head.encode(
                                version: version, payload: UnsafeRawBufferPointer(payload), into: base)
                        }
                    }
                }
            })
        return packetIdentifier
    }

    func acknowledge(_ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode = .success) {
        send(Acknowledgement(type, packetIdentifier: identifier, reason: reason).encode(version: version))
    }

    func unsubscribe(_ filters: String...) {
        let packet = Unsubscribe(packetIdentifier: nextIdentifier(), filters: filters.map { [UInt8]($0.utf8) })
        send(packet.encode(version: version))
    }

    /// DISCONNECT, and what the broker does about it.
    func disconnect(_ reason: ReasonCode = .normalDisconnection, expiry: UInt32? = nil) {
        send(Disconnect(reason: reason, sessionExpiryInterval: expiry).encode(version: version))
        node.run()
        stream.close()
        node.run()
    }

    /// The connection breaks.
    func drop() {
        stream.close()
        node.run()
    }

    // MARK: What came

    /// Everything since the last time.
    @discardableResult
    func take() -> [Received] {
        node.run()
        defer { received = [] }
        return received
    }

    func forget() { received = [] }

    /// The PUBLISH packets since the last time; everything else is forgotten.
    func takeDeliveries() -> [Delivery] {
        take().compactMap { if case .publish(let delivery) = $0 { delivery } else { nil } }
    }

    /// ... in short.
    func takeMessages() -> [String] { takeDeliveries().map(\.description) }

    func takeAcknowledgements() -> [Acknowledgement] {
        take().compactMap { if case .acknowledgement(let packet) = $0 { packet } else { nil } }
    }

    /// The first packet since the last time, if it is AUTH.
    func takeAuth() -> Auth? {
        node.run()
        guard case .auth(let packet)? = received.first else { return nil }
        received.removeFirst()
        return packet
    }

    func takeConnack() {
        if case .connack(let packet) = received.first {
            connack = packet
            received.removeFirst()
        }
    }

    // MARK: ByteStreamDelegate

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        while offset < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            do {
                guard let packet = try readFrame(rest, maximum: 1 << 28, version: version) else { break }
                received.append(try decode(packet))
                offset += packet.length
            } catch {
                Issue.record("not MQTT: \(error)")
                return bytes.count
            }
        }
        return offset
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) { isClosed = true }

    private func decode(_ packet: RawPacket) throws -> Received {
        switch packet.type {
        case .connack: return .connack(try Connack(packet, version: version))
        case .publish: return .publish(delivery(try PublishView(packet, version: version, from: .server)))
        case .puback, .pubrec, .pubrel, .pubcomp:
            let acknowledgement = try Acknowledgement(packet, version: version)
            if acknowledges, packet.type == .pubrel { acknowledge(.pubcomp, acknowledgement.packetIdentifier) }
            return .acknowledgement(acknowledgement)
        case .suback: return .suback(try Suback(packet, version: version))
        case .unsuback: return .unsuback(try Unsuback(packet, version: version))
        case .pingresp: return .pingresp
        case .disconnect: return .disconnect(try Disconnect(packet, version: version).reason)
        case .auth: return .auth(try Auth(packet, version: version, from: .server))
        default: return .other(packet.type)
        }
    }

    private func delivery(_ view: PublishView) -> Delivery {
        var delivery = Delivery(
            topic: String(decoding: view.topic, as: UTF8.self), payload: String(decoding: view.payload, as: UTF8.self),
            qos: view.qos, retain: view.retain, isDuplicate: view.isDuplicate, identifier: view.packetIdentifier,
            expiry: view.messageExpiryInterval)
        for property in PropertyReader(view.properties) {
            switch (property.identifier, property.value) {
            case (.subscriptionIdentifier, .variableByteInteger(let number)):
                delivery.subscriptionIdentifiers.append(number)
            case (.userProperty, .pair(let name, let value)):
                delivery.userProperties.append(
                    "\(String(decoding: name, as: UTF8.self))=\(String(decoding: value, as: UTF8.self))")
            default: break
            }
        }
        if acknowledges, view.qos != .atMostOnce {
            acknowledge(view.qos == .atLeastOnce ? .puback : .pubrec, view.packetIdentifier)
        }
        return delivery
    }
}

extension Subscription {
    static func to(
        _ filter: String, _ qos: QoS = .atLeastOnce, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .send
    ) -> Subscription {
        Subscription(
            filter: [UInt8](filter.utf8), qos: qos, noLocal: noLocal, retainAsPublished: retainAsPublished,
            retainHandling: retainHandling)
    }
}

extension TestClient {
    /// Everything that has come, without letting anything happen.
    func drain() -> [Received] {
        defer { forget() }
        return received
    }
}
