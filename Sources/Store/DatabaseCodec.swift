/// The two BLOBs that ordinary columns hold: a stream's members and a position's finished numbers, as varints.
///
/// Members: for each its session, QoS (bit 0-1) with Retain As Published (bit 2), number of Subscription Identifiers, these.
/// Finished: for each range the distance of its first from the number before, and its length less one.
enum DatabaseCodec {
    static func encode(_ members: [StreamMember]) -> [UInt8] {
        var bytes: [UInt8] = []
        for member in members {
            Varint.append(UInt64(bitPattern: member.session.rawValue), to: &bytes)
            bytes.append(member.qos & 3 | (member.retainAsPublished ? 4 : 0))
            Varint.append(UInt64(member.subscriptionIdentifiers.count), to: &bytes)
            for identifier in member.subscriptionIdentifiers { Varint.append(UInt64(identifier), to: &bytes) }
        }
        return bytes
    }

    static func members(_ bytes: [UInt8]) -> [StreamMember]? {
        var reader = Varint.Reader(bytes)
        var members: [StreamMember] = []
        while !reader.isAtEnd {
            guard let session = reader.next(), let flags = reader.next(), let count = reader.next(),
                count <= UInt64(bytes.count)
            else { return nil }
            var identifiers: [UInt32] = []
            for _ in 0..<count {
                guard let identifier = reader.next() else { return nil }
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
            Varint.append(range.lowerBound &- before, to: &bytes)
            Varint.append(range.upperBound - range.lowerBound, to: &bytes)
            before = range.upperBound
        }
        return bytes
    }

    static func position(cursor: UInt64, finished bytes: [UInt8]) -> Position? {
        var reader = Varint.Reader(bytes)
        var position = Position(cursor: cursor)
        var before = cursor
        while !reader.isAtEnd {
            guard let step = reader.next(), let length = reader.next() else { return nil }
            let (first, passed) = before.addingReportingOverflow(step)
            let (last, passedToo) = first.addingReportingOverflow(length)
            guard !passed, !passedToo else { return nil }
            position.finished.append(first...last)
            before = last
        }
        return position
    }
}
