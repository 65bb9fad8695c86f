import MQTT
import Store

/// How much time a batch's compression may take.
public enum BatchLevel: Sendable, Equatable {
    /// 600 MB/s on one core: for live data.
    case fast
    /// HC level 4, a third smaller, 150 to 290 MB/s.
    case high
    /// HC level 9, 2 to 5 % smaller still, two to three times as long (5 ms for 256 KiB, in which the loop does nothing
    /// else): for small batches on a slow link.
    case highest
}

extension BatchLevel {
    var lz4: LZ4.Level {
        switch self {
        case .fast: .fast
        case .high: .high(4)
        case .highest: .high(9)
        }
    }
}

/// A batch on the wire and on disk: a skippable frame with the header, then an LZ4 frame of PUBLISH packets (docs/formats.md).
public enum Batch {
    /// Content Type of a batch's PUBLISH on MQTT 5.
    public static let contentType = "application/vnd.roost.batch+lz4"
    /// Begins every batch, little endian.
    static let magic: UInt32 = 0x184D_2A50
    /// Magic and length of the skippable frame.
    static let frameHeaderLength = 8

    /// The shard of a node's topics: two hex digits, the first byte of SHA-256 of the node's id.
    public static func shard(of node: String) -> String {
        let digits = String(SHA256.digest(node.utf8)[0], radix: 16)
        return digits.utf8.count == 1 ? "0" + digits : digits
    }

    /// `{prefix}/{shard}/{node}`.
    public static func topic(prefix: String, node: String) -> String { "\(prefix)/\(shard(of: node))/\(node)" }

    /// Appends a whole batch to `output`.
    static func encode(
        _ header: BatchHeader, packets: UnsafeRawBufferPointer, level: BatchLevel, compressor: LZ4Compressor,
        into output: inout RawBytes
    ) {
        let encoded = header.encoded()
        let start = output.reserve(frameHeaderLength + encoded.count)
        start.storeBytes(of: magic.littleEndian, as: UInt32.self)
        start.storeBytes(of: UInt32(encoded.count).littleEndian, toByteOffset: 4, as: UInt32.self)
        encoded.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(start: start + frameHeaderLength, count: encoded.count).copyMemory(from: $0)
        }
        output.commit(frameHeaderLength + encoded.count)
        let frame = compressor.compress(packets.bytes, level: level.lz4)
        frame.withUnsafeBytes { bytes in
            UnsafeMutableRawBufferPointer(start: output.reserve(bytes.count), count: bytes.count).copyMemory(
                from: bytes)
        }
        output.commit(frame.count)
    }

    /// Splits the header off the batch at the start of `bytes`; `length` is how much of them it takes.
    static func header(_ bytes: UnsafeRawBufferPointer) throws(BatchRefusal) -> (header: BatchHeader, length: Int) {
        guard bytes.count >= frameHeaderLength,
            UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == magic
        else { throw .structure("not a batch", offset: 0) }
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        guard length <= bytes.count - frameHeaderLength else { throw .structure("header cut short", offset: 4) }
        let end = frameHeaderLength + length
        return (try BatchHeader(decoding: UnsafeRawBufferPointer(rebasing: bytes[frameHeaderLength..<end])), end)
    }
}

/// Opens batches from strangers, one after another, into memory that it keeps.
public final class BatchReader {
    private let decompressor = BatchDecompressor()
    private let limitBytes: Int
    private var content = RawBytes()
    private var views: [PublishView] = []

    /// - Parameter limitBytes: `max_batch`: the most that one batch may hold decompressed.
    public init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// One opened batch.
    public struct Opened {
        public let header: BatchHeader
        /// How many PUBLISH packets it holds, all of them checked.
        public let count: Int
        /// Bytes of the packets.
        public let byteCount: Int
        /// Bytes that it took of what `open` was given: batches stand end to end in files.
        public let length: Int
        /// The packets in place, valid until the reader opens the next batch.
        public let packets: [PublishView]
    }

    /// Opens the batch at the start of `bytes` and checks it to the last packet.
    public func open(_ bytes: UnsafeRawBufferPointer) throws(BatchRefusal) -> Opened {
        content.removeAll()
        let (header, start) = try Batch.header(bytes)
        let frame = UnsafeRawBufferPointer(rebasing: bytes[start...])
        let length = try decompressor.decompress(frame, limitBytes: limitBytes, offset: start, into: &content)
        try parse()
        guard header.sequence <= UInt64.max - UInt64(views.count) else {
            throw .structure("numbers beyond 64 bits", offset: 0)
        }
        return Opened(
            header: header, count: views.count, byteCount: content.count, length: start + length, packets: views)
    }

    /// Gives a large batch's memory back; its packets are gone then.
    func giveBackIfLarge() {
        content.giveBackIfLarge()
        if views.count > 16_384 { views = [] }
    }

    /// Reads the packets; refuses what is not a PUBLISH in the form that batches hold.
    private func parse() throws(BatchRefusal) {
        let bytes = content.bytes
        views.removeAll(keepingCapacity: true)
        var offset = 0
        while offset < bytes.count {
            do throws(MQTTError) {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
                guard let packet = try readFrame(rest, maximum: .max), packet.type == .publish else {
                    throw MQTTError(.malformedPacket, "no whole PUBLISH packet")
                }
                let view = try PublishView(packet, version: .v5)
                guard view.topicAlias == 0, !view.hasSubscriptionIdentifiers, view.topic.count > 0 else {
                    throw MQTTError(.malformedPacket, "a PUBLISH packet with Topic Alias or Subscription Identifier")
                }
                views.append(view)
                offset += packet.length
            } catch {
                throw .structure("inside: \(error.detail)", offset: offset)
            }
        }
    }
}
