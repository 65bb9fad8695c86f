import Store

/// An `ExactlyOnceWindow` as it lies in the store, under `StateKind.window`. Neighbours are written as one stretch, so that a
/// window in its usual state is some dozens of bytes.
struct ExactlyOnceRecord: Equatable {
    struct Message: Equatable {
        var run: Int64
        var lane: UInt16
        var number: UInt64
    }

    struct Entry: Equatable {
        var identifier: UInt16
        /// nil: PUBREL alone is owed.
        var message: Message?
        /// PUBREC came.
        var isReleased: Bool
    }

    /// Names the Session at the upstream.
    var session: String
    /// In the order in which PUBREL, and PUBLISH, are to be sent again.
    var entries: [Entry]

    private static let version: UInt64 = 1
    private enum Kind: UInt64 { case bound, released, cleared }

    private static func kind(_ entry: Entry) -> Kind {
        entry.message == nil ? .cleared : entry.isReleased ? .released : .bound
    }

    /// `next` is what comes after `entry` in a stretch that has come to `count`.
    private static func continues(_ first: Entry, _ count: UInt64, _ next: Entry) -> Bool {
        guard kind(first) == kind(next), UInt64(next.identifier) == UInt64(first.identifier) + count else {
            return false
        }
        guard let message = first.message, let other = next.message else { return true }
        return message.run == other.run && message.lane == other.lane && message.number + count == other.number
    }

    var encoded: [UInt8] {
        var writer = StateWriter()
        writer.append(Self.version)
        writer.append(session)
        var index = 0
        while index < entries.count {
            let first = entries[index]
            var count: UInt64 = 1
            while index + Int(count) < entries.count, Self.continues(first, count, entries[index + Int(count)]) {
                count += 1
            }
            writer.append(Self.kind(first).rawValue)
            writer.append(UInt64(first.identifier))
            writer.append(count)
            if let message = first.message {
                writer.append(signed: message.run)
                writer.append(UInt64(message.lane))
                writer.append(message.number)
            }
            index += Int(count)
        }
        return writer.bytes
    }

    init(session: String, entries: [Entry]) {
        self.session = session
        self.entries = entries
    }

    /// nil where the bytes are not what `encoded` makes.
    init?(decoding bytes: [UInt8]) {
        var reader = StateReader(bytes)
        guard reader.number() == Self.version, let session = reader.text() else { return nil }
        self.init(session: session, entries: [])
        while !reader.isAtEnd {
            guard let kind = reader.number().flatMap(Kind.init(rawValue:)), let identifier = reader.number(),
                let count = reader.number(), identifier >= 1, count >= 1, count <= 65_535,
                identifier + count - 1 <= 65_535
            else { return nil }
            var message: Message?
            if kind != .cleared {
                guard let run = reader.signed(), let lane = reader.number().flatMap(UInt16.init(exactly:)),
                    let number = reader.number(), number <= .max - count
                else { return nil }
                message = Message(run: run, lane: lane, number: number)
            }
            for offset in 0..<count {
                entries.append(
                    Entry(
                        identifier: UInt16(identifier + offset),
                        message: message.map { Message(run: $0.run, lane: $0.lane, number: $0.number + offset) },
                        isReleased: kind != .bound))
            }
        }
    }
}
