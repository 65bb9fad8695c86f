/// The two BLOBs that ordinary columns hold: a stream's members and a position's finished numbers, as varints.
///
/// Members: for each its session, QoS (bit 0-1) with Retain As Published (bit 2), number of Subscription Identifiers, these.
/// Finished: for each range the distance of its first from the number before, and its length less one.
enum DatabaseCodec {
    static func encode(_ members: [StreamMember]) -> [UInt8] {
        var bytes: [UInt8] = []
        for member in members {
            append(UInt64(bitPattern: member.session.rawValue), to: &bytes)
            bytes.append(member.qos & 3 | (member.retainAsPublished ? 4 : 0))
            append(UInt64(member.subscriptionIdentifiers.count), to: &bytes)
            for identifier in member.subscriptionIdentifiers { append(UInt64(identifier), to: &bytes) }
        }
        return bytes
    }

    static func members(_ bytes: [UInt8]) -> [StreamMember]? {
        var reader = Reader(bytes)
        var members: [StreamMember] = []
        while !reader.atEnd {
            guard let session = reader.varint(), let flags = reader.varint(), let count = reader.varint(),
                count <= UInt64(bytes.count)
            else { return nil }
            var identifiers: [UInt32] = []
            for _ in 0..<count {
                guard let identifier = reader.varint() else { return nil }
                identifiers.append(UInt32(truncatingIfNeeded: identifier))
            }
            members.append(
                StreamMember(
                    session: SessionID(rawValue: Int64(bitPattern: session)), qos: UInt8(flags & 3),
                    retainAsPublished: flags & 4 != 0, subscriptionIdentifiers: identifiers))
        }
        return members
    }

    static func encode(_ position: Position) -> [UInt8] {
        var bytes: [UInt8] = []
        var before = position.cursor
        for range in position.finished {
            append(range.lowerBound &- before, to: &bytes)
            append(range.upperBound - range.lowerBound, to: &bytes)
            before = range.upperBound
        }
        return bytes
    }

    static func position(cursor: UInt64, finished bytes: [UInt8]) -> Position? {
        var reader = Reader(bytes)
        var position = Position(cursor: cursor)
        var before = cursor
        while !reader.atEnd {
            guard let step = reader.varint(), let length = reader.varint() else { return nil }
            let (first, passed) = before.addingReportingOverflow(step)
            let (last, passedToo) = first.addingReportingOverflow(length)
            guard !passed, !passedToo else { return nil }
            position.finished.append(first...last)
            before = last
        }
        return position
    }

    private static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private struct Reader {
        let bytes: [UInt8]
        var offset = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        var atEnd: Bool { offset >= bytes.count }

        mutating func varint() -> UInt64? {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while offset < bytes.count, shift < 64 {
                let byte = bytes[offset]
                offset += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
            return nil
        }
    }
}
