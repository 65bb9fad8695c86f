import EventLoop
import MQTT

@testable import Uplink

/// An upstream that takes QoS 2 as MQTT has it, and keeps its Session over the ends of the node that speaks to it. It stops
/// at a step when it is told to.
final class CountingUpstream: ByteStreamDelegate {
    /// What came, one line a packet.
    private(set) var lines: [String] = []
    /// Payloads of messages that were taken, once for each time.
    private(set) var delivered: [String] = []
    /// The Session: identifiers whose PUBREL is awaited; nil: there is none.
    var session: Set<UInt16>?
    var connack = Connack()

    /// Packets of these types are lost on their way to it, or on their way from it.
    var losesInbound: Set<PacketType> = []
    var losesOutbound: Set<PacketType> = []
    /// How many packets more pass, either way, before the link is dead; nil: it lives.
    var budget: Int?
    /// What a PUBREC for the payload says.
    var answer: (String) -> ReasonCode = { _ in .success }
    /// Closes the connection at the payload, as 3.1.1 has it.
    var closesAt: (String) -> Bool = { _ in false }

    private var listener: (any Listener)?
    private(set) var stream: ByteStream?

    /// The lines since the last look.
    func take() -> [String] {
        defer { lines = [] }
        return lines
    }

    /// A node lives on this network.
    func serve(_ network: MemoryNetwork) throws {
        stream = nil
        listener = try network.listen(.tcp(host: "cloud", port: 1883)) { [weak self] stream in
            self?.stream = stream
            stream.delegate = self
        }
    }

    func leave() {
        stream?.delegate = nil
        stream = nil
        listener = nil
    }

    private func passes() -> Bool {
        guard let left = budget else { return true }
        budget = left - 1
        return left > 0
    }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        var consumed = 0
        while consumed < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
            guard let packet = try? readFrame(rest, maximum: .max, version: .v5) else { break }
            consumed += packet.length
            if passes(), !losesInbound.contains(packet.type) { take(packet, stream) }
        }
        return consumed
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {}

    private func take(_ packet: RawPacket, _ stream: ByteStream) {
        switch packet.type {
        case .connect:
            connack.sessionPresent = session != nil
            session = session ?? []
            if passes() { stream.write(connack.encode(version: .v5)) }
        case .publish:
            guard let view = try? PublishView(packet, version: .v5) else { return stream.close() }
            let payload = String(decoding: view.payload, as: UTF8.self)
            lines.append("PUBLISH \(view.packetIdentifier) \(payload)\(view.isDuplicate ? " DUP" : "")")
            guard !closesAt(payload) else { return stream.close() }
            guard view.qos == .exactlyOnce else { return lines.append("at QoS \(view.qos.rawValue)") }
            let reason = answer(payload)
            if !reason.isError, session?.insert(view.packetIdentifier).inserted == true { delivered.append(payload) }
            answer(.pubrec, view.packetIdentifier, reason, stream)
        case .pubrel:
            guard let release = try? Acknowledgement(packet, version: .v5) else { return stream.close() }
            lines.append("PUBREL \(release.packetIdentifier)")
            let isKnown = session?.remove(release.packetIdentifier) != nil
            answer(.pubcomp, release.packetIdentifier, isKnown ? .success : .packetIdentifierNotFound, stream)
        case .pingreq: if passes() { stream.write(Ping.response) }
        case .disconnect: stream.close()
        default: break
        }
    }

    private func answer(_ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode, _ stream: ByteStream) {
        guard passes(), !losesOutbound.contains(type) else { return }
        stream.write(Acknowledgement(type, packetIdentifier: identifier, reason: reason).encode(version: .v5))
    }
}
