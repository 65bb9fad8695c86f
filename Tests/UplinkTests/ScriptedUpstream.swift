import Broker
import Client
import EventLoop
import MQTT
import Store

@testable import Uplink

/// An upstream that answers as a test tells it to.
final class ScriptedUpstream: ByteStreamDelegate {
    struct Received {
        var topic: String
        var payload: [UInt8]
        var identifier: UInt16
        var qos: QoS
        var isDuplicate: Bool
        var retain: Bool
        var user: [String]
        var expiry: UInt32?
        var connection: Int
    }

    enum Answer {
        case reason(ReasonCode)
        case silence, close
    }

    let loop: EventLoop
    private var listener: (any Listener)?
    private(set) var stream: ByteStream?
    private(set) var connects: [Connect] = []
    private(set) var received: [Received] = []
    private(set) var subscriptions: [Subscription] = []
    /// PUBACKs of what we published.
    private(set) var acknowledged: [UInt16] = []
    var connack = {
        var connack = Connack()
        connack.topicAliasMaximum = 10
        return connack
    }()
    /// Topic Aliases of the present connection.
    private var aliases: [UInt16: String] = [:]
    /// PUBLISHes that came without their topic; those whose alias was never set on their connection close it.
    private(set) var aliased = 0
    private(set) var unknownAliases = 0
    var version = ProtocolVersion.v5
    var answer: (Received) -> Answer = { _ in .reason(.success) }
    var refusesConnections = false
    var isSilent = false
    /// What becomes of a CONNECT in place of CONNACK.
    enum Welcome: Sendable {
        case connack
        case silence, close
        case bytes([UInt8])
        /// CONNACK, and then these bytes, and the end.
        case connackThen([UInt8])
        case connackThenClose
    }
    var welcome: (Connect) -> Welcome = { _ in .connack }
    /// Network connections that were accepted.
    private(set) var accepted = 0
    /// What SUBACK answers for each filter.
    var granted: (Subscription) -> ReasonCode = { _ in .grantedQoS1 }

    init(loop: EventLoop, network: MemoryNetwork, port: UInt16 = 1883) throws {
        self.loop = loop
        listener = try network.listen(.tcp(host: "cloud", port: port)) { [weak self] stream in
            guard let self, !self.refusesConnections else { return stream.close() }
            self.accepted += 1
            self.stream = stream
            stream.delegate = self
        }
    }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        var consumed = 0
        while consumed < bytes.count {
            guard
                let packet = try? readFrame(
                    UnsafeRawBufferPointer(rebasing: bytes[consumed...]), maximum: .max, version: version)
            else { break }
            consumed += packet.length
            take(packet, stream)
        }
        return consumed
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {}

    private func take(_ packet: RawPacket, _ stream: ByteStream) {
        switch packet.type {
        case .connect:
            guard let connect = try? Connect(packet) else { return stream.close() }
            version = connect.version
            connects.append(connect)
            aliases = [:]
            switch welcome(connect) {
            case .connack: stream.write(connack.encode(version: version))
            case .silence: break
            case .close: stream.close()
            case .bytes(let bytes):
                stream.write(bytes)
                stream.closeAfterFlush()
            case .connackThen(let bytes):
                stream.write(connack.encode(version: version) + bytes)
                stream.closeAfterFlush()
            case .connackThenClose:
                stream.write(connack.encode(version: version))
                stream.closeAfterFlush()
            }
        case .publish:
            guard let view = try? PublishView(packet, version: version) else { return stream.close() }
            let inner = Inner(view)
            guard let topic = resolve(view, inner.topic) else { return stream.close() }
            let message = Received(
                topic: topic, payload: [UInt8](view.payload), identifier: view.packetIdentifier, qos: view.qos,
                isDuplicate: view.isDuplicate, retain: view.retain, user: inner.user, expiry: inner.expiry,
                connection: connects.count)
            received.append(message)
            guard !isSilent, view.qos != .atMostOnce else { return }
            switch answer(message) {
            case .reason(let reason): acknowledge(message, reason)
            case .silence: break
            case .close: stream.close()
            }
        case .subscribe:
            guard let subscribe = try? Subscribe(packet, version: version) else { return stream.close() }
            subscriptions += subscribe.filters
            let suback = Suback(
                packetIdentifier: subscribe.packetIdentifier, reasons: subscribe.filters.map(granted))
            stream.write(suback.encode(version: version))
        case .pingreq: if !isSilent { stream.write(Ping.response) }
        case .puback:
            if let ack = try? Acknowledgement(packet, version: version) { acknowledged.append(ack.packetIdentifier) }
        case .disconnect: stream.close()
        default: break
        }
    }

    private func resolve(_ view: PublishView, _ topic: String) -> String? {
        guard view.topicAlias > 0 else { return topic }
        if !topic.isEmpty { aliases[view.topicAlias] = topic } else { aliased += 1 }
        guard view.topicAlias <= connack.topicAliasMaximum, let known = aliases[view.topicAlias] else {
            unknownAliases += 1
            return nil
        }
        return known
    }

    func acknowledge(_ message: Received, _ reason: ReasonCode = .success) {
        guard let stream, !stream.isClosed else { return }
        var bytes = [UInt8](repeating: 0, count: Acknowledgement.maximumEncodedLength)
        let count = bytes.withUnsafeMutableBytes { memory in
            Acknowledgement.encode(
                .puback, identifier: message.identifier, reason: reason, version: version, into: memory.baseAddress!)
        }
        stream.write(Array(bytes[..<count]))
    }

    func publish(topic: String, payload: String, identifier: UInt16 = 0, properties: [UInt8] = []) {
        let topic = Array(topic.utf8)
        let payload = Array(payload.utf8)
        topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                properties.withUnsafeBytes { properties in
                    let head = PublishHead(
                        topic: topic, qos: identifier == 0 ? .atMostOnce : .atLeastOnce, packetIdentifier: identifier,
                        properties: properties)
                    var bytes = [UInt8](
                        repeating: 0, count: head.encodedLength(version: version, payloadCount: payload.count))
                    _ = bytes.withUnsafeMutableBytes {
                        head.encode(version: version, payload: payload, into: $0.baseAddress!)
                    }
                    stream?.write(bytes)
                }
            }
        }
    }

    func close() { stream?.close() }

    func disconnect(_ reason: ReasonCode) {
        stream?.write(Disconnect(reason: reason).encode(version: version))
        stream?.closeAfterFlush()
    }

    /// The batches that came, opened.
    var batches: [(header: BatchHeader, messages: [Inner])] {
        received.compactMap { message in
            guard let (header, inner, _) = try? openBatch(message.payload) else { return nil }
            return (header, inner)
        }
    }
}
