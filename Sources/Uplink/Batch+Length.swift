import MQTT

/// Where a batch ends, without opening it: for files and pipes, in which batches stand end to end and which come in pieces.
extension Batch {
    /// More than all gaps and ended runs of a node take.
    private static let longestHeader = 4 << 20
    /// What LZ4 may add to that which it can't compress, and a frame's own bytes.
    private static let slackBytes = 1 << 20

    /// Bytes of the batch at the start of `bytes`; nil: more of it are needed to tell. Nothing is verified but the shape
    /// (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md).
    ///
    /// - Parameter limitBytes: the most that it may hold decompressed: what is longer compressed is refused at once.
    public static func length(
        _ bytes: UnsafeRawBufferPointer, limitBytes: Int
    ) throws(BatchRefusal) -> Int? {
        guard let start = word(bytes, 0) else { return nil }
        guard start == magic else { throw .structure("not a batch", offset: 0) }
        guard let header = word(bytes, 4) else { return nil }
        guard Int(header) <= longestHeader else { throw .structure("header of \(header) bytes", offset: 4) }
        let frame = frameHeaderLength + Int(header)
        guard let frameStart = word(bytes, frame) else { return nil }
        guard frameStart == 0x184D_2204 else { throw .structure("no LZ4 frame behind the header", offset: frame) }
        guard bytes.count > frame + 4 else { return nil }
        let flags = bytes[frame + 4]
        // Magic, flags, block size, what the flags add, header checksum.
        var place = frame + 7 + (flags & 0x08 != 0 ? 8 : 0) + (flags & 0x01 != 0 ? 4 : 0)
        let blockChecksum = flags & 0x10 != 0 ? 4 : 0
        while let block = word(bytes, place) {
            guard place - frame <= limitBytes + slackBytes else { throw .bomb(limitBytes: limitBytes) }
            guard block != 0 else { return place + 4 + (flags & 0x04 != 0 ? 4 : 0) }
            place += 4 + Int(block & 0x7FFF_FFFF) + blockChecksum
        }
        guard place - frame <= limitBytes + slackBytes else { throw .bomb(limitBytes: limitBytes) }
        return nil
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> UInt32? {
        guard place + 4 <= bytes.count else { return nil }
        return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
    }
}
