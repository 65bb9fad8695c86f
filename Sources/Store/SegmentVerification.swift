/// Why a stored segment can't be trusted.
enum SegmentFault: Error, Equatable {
    case unknownFormat(Int64)
    case header
    case packets(LZ4.Failure)
    case size(Int)
    /// The PUBLISH packets inside don't add up to `count`.
    case framing
    case index

    var text: String {
        switch self {
        case .unknownFormat(let format): "unknown format \(format)"
        case .header: "its numbers or index fail their checksum"
        case .packets(let failure): "its packets don't decompress: \(failure)"
        case .size(let bytes): "its packets have \(bytes) bytes"
        case .framing: "its packets are not whole PUBLISH packets"
        case .index: "its index doesn't match its packets"
        }
    }
}

extension Database {
    /// The segment in a row of `DatabaseStatements.segments`, with both checksums verified.
    func verify(_ row: SegmentRow, _ statement: borrowing Statement) -> Result<StoredSegment, SegmentFault> {
        guard [SegmentRow.lz4Frame, SegmentRow.lz4FrameOfSchema1].contains(statement.integer(5)) else {
            return .failure(.unknownFormat(statement.integer(5)))
        }
        guard let index = row.unseal(statement.bytes(6), expiry: statement.integer(4)) else { return .failure(.header) }
        let packets: [UInt8]
        do throws(LZ4.Failure) {
            packets = try statement.withBytes(7) { (frame) throws(LZ4.Failure) in
                try decompressor.decompress(frame, maximum: row.raw)
            }
        } catch { return .failure(.packets(error)) }
        guard packets.count == row.raw else { return .failure(.size(packets.count)) }
        return .success(
            StoredSegment(
                stream: StreamID(rawValue: row.stream), first: row.first, count: row.count, packets: packets,
                index: index, receivedAt: row.receivedAt))
    }
}

extension StoredSegment {
    /// What is wrong inside, beyond what checksums find: for `roost store check`.
    var fault: SegmentFault? {
        guard Self.packetCount(packets) == count else { return .framing }
        var reader = SegmentIndex.Reader(index)
        for _ in 0..<count { guard reader.next() != nil else { return .index } }
        guard !reader.rest.isAtEnd else { return nil }
        var sets = SegmentSets.Reader(behind: reader)
        for _ in 0..<count { guard sets.next() != nil else { return .index } }
        return sets.isAtEnd ? nil : .index
    }

    /// Whole PUBLISH packets that fill the bytes exactly, by their Remaining Length; nil where they don't. [MQTT-2.1.4]
    static func packetCount(_ bytes: [UInt8]) -> Int? {
        var offset = 0
        var count = 0
        while offset < bytes.count {
            guard bytes[offset] >> 4 == 3 else { return nil }
            offset += 1
            var length = 0
            var shift = 0
            while true {
                guard offset < bytes.count, shift <= 21 else { return nil }
                let byte = bytes[offset]
                offset += 1
                length |= Int(byte & 0x7F) << shift
                if byte < 0x80 { break }
                shift += 7
            }
            guard length <= bytes.count - offset else { return nil }
            offset += length
            count += 1
        }
        return count
    }
}
