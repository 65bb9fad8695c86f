import EventLoop
import MQTT

/// The far end of a connection: looks at all that comes.
final class FuzzClient: ByteStreamDelegate {
    let stream: ByteStream
    private let readable: [[UInt8]]
    private var version: ProtocolVersion?
    private var isOver = false
    private var hasBegun = false
    private var failure: String?

    init(_ stream: ByteStream, _ readable: [String]) {
        self.stream = stream
        self.readable = readable.map { Array($0.utf8) }
        stream.delegate = self
        stream.resumeReading()
    }

    /// A stream of CONNECT's version follows it, whatever bytes they are.
    func send(_ bytes: [UInt8]) {
        guard !stream.isClosing else { return }
        if version == nil, !bytes.isEmpty {
            version = bytes.withUnsafeBytes { bytes in
                guard let packet = try? readFrame(bytes, maximum: .max), packet.type == .connect else { return nil }
                return (try? Connect(packet))?.version ?? (packet.body.count > 6 && packet.body[6] == 5 ? .v5 : .v311)
            }
        }
        stream.write(bytes)
    }

    func check() { precondition(failure == nil, failure ?? "") }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        while offset < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            do throws(MQTTError) {
                guard let packet = try readFrame(rest, maximum: 1 << 20, version: version ?? .v5) else { break }
                try take(packet)
                offset += packet.length
            } catch {
                failure = "the broker sent what is no MQTT: \(error), \(Array(rest.prefix(60)))"
                return bytes.count
            }
        }
        return offset
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {}

    private func take(_ packet: RawPacket) throws(MQTTError) {
        let version = version ?? .v5
        guard !isOver else { throw MQTTError(.protocolError, "\(packet.type) after DISCONNECT") }
        guard hasBegun || packet.type == .connack || packet.type == .auth else {
            throw MQTTError(.protocolError, "\(packet.type) before CONNACK")
        }
        switch packet.type {
        case .connack:
            guard !hasBegun else { throw MQTTError(.protocolError, "a second CONNACK") }
            let connack = try Connack(packet, version: version)
            hasBegun = true
            isOver = connack.reason != .success
        case .publish:
            let publish = try PublishView(packet, version: version, from: .server)
            let mayReceive = readable.contains { filter in
                filter.withUnsafeBytes { TopicFilter.matches(filter: $0, topic: publish.topic) }
            }
            guard mayReceive || readable[0] == [UInt8(ascii: "#")] else {
                throw MQTTError(.notAuthorized, "received \(String(decoding: publish.topic, as: UTF8.self))")
            }
        case .puback, .pubrec, .pubrel, .pubcomp: _ = try Acknowledgement(packet, version: version)
        case .suback: _ = try Suback(packet, version: version)
        case .unsuback: _ = try Unsuback(packet, version: version)
        case .pingresp: break
        case .disconnect:
            _ = try Disconnect(packet, version: version, from: .server)
            isOver = true
        case .auth: _ = try Auth(packet, version: version, from: .server)
        case .connect, .subscribe, .unsubscribe, .pingreq:
            throw MQTTError(.protocolError, "\(packet.type) from a server")
        }
    }
}
