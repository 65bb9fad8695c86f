/// Whom each message of a mixed stream's segment is for: behind the entries of `segment.idx`, under the same checksum.
///
/// For each message a varint: 0 where its set follows, n where it is the segment's n-th. A set is the number of its members,
/// and for each the step of its session from the member before, QoS (bit 0-1) with Retain As Published (bit 2), the number of
/// Subscription Identifiers, these.
enum SegmentSets {
    static func append(_ sets: [MessageSet], to bytes: inout [UInt8]) {
        var known: [ObjectIdentifier: UInt64] = [:]
        for set in sets {
            if let place = known[ObjectIdentifier(set)] {
                Varint.append(place, to: &bytes)
                continue
            }
            known[ObjectIdentifier(set)] = UInt64(known.count + 1)
            bytes.append(0)
            append(set, to: &bytes)
        }
    }

    private static func append(_ set: MessageSet, to bytes: inout [UInt8]) {
        Varint.append(UInt64(set.members.count), to: &bytes)
        var last: Int64 = 0
        for member in set.members {
            Varint.append(UInt64(bitPattern: member.session.rawValue &- last), to: &bytes)
            last = member.session.rawValue
            bytes.append(member.qos & 3 | (member.retainAsPublished ? 4 : 0))
            Varint.append(UInt64(member.subscriptionIdentifiers.count), to: &bytes)
            for identifier in member.subscriptionIdentifiers { Varint.append(UInt64(identifier), to: &bytes) }
        }
    }

    /// Reads the sets in the order of the messages; nil where the bytes end or make no sense.
    struct Reader {
        private var steps: Varint.Reader
        private var known: [MessageSet] = []

        /// - Parameter entries: has read all of the segment's entries.
        init(behind entries: SegmentIndex.Reader) { steps = entries.rest }

        var isAtEnd: Bool { steps.isAtEnd }

        mutating func next() -> MessageSet? {
            guard let place = steps.next() else { return nil }
            guard place == 0 else { return place <= UInt64(known.count) ? known[Int(place) - 1] : nil }
            guard let count = steps.next(), count <= UInt64(steps.remaining) else { return nil }
            var members: [StreamMember] = []
            members.reserveCapacity(Int(count))
            var last: Int64 = 0
            for _ in 0..<count {
                guard let member = member(after: last) else { return nil }
                members.append(member)
                last = member.session.rawValue
            }
            let set = MessageSet(members)
            known.append(set)
            return set
        }

        private mutating func member(after last: Int64) -> StreamMember? {
            guard let step = steps.next(), let flags = steps.next(), let count = steps.next(),
                step > 0, step <= UInt64(Int64.max - last), flags < 8, count <= UInt64(steps.remaining)
            else { return nil }
            var identifiers: [UInt32] = []
            for _ in 0..<count {
                guard let identifier = steps.next(), identifier <= UInt64(UInt32.max) else { return nil }
                identifiers.append(UInt32(identifier))
            }
            return StreamMember(
                session: SessionID(rawValue: last + Int64(step)), qos: UInt8(flags & 3),
                retainAsPublished: flags & 4 != 0, subscriptionIdentifiers: identifiers)
        }
    }
}
