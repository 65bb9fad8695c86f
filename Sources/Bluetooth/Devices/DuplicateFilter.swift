import EventLoop

/// What one device said lately, so that what is heard several times counts once. Radios hear an advertisement on three channels,
/// devices repeat it for seconds or minutes, and some take turns between two.
struct DuplicateFilter {
    private struct Message {
        var kind: Advertisement.Part.Kind
        var bytes: [UInt8]
        /// nil: of none.
        var format: AdvertisementFormat?
        var sequence: UInt32?
        var accepted: Instant
        var heard: Instant
    }

    private var recent: [Message] = []
    private let window: Duration

    /// Messages that are remembered.
    private static let most = 16

    init(window: Duration) { self.window = window }

    /// The same bytes as lately. Of a device that counts they are the same message for as long as it goes on repeating them; of
    /// one that doesn't, they are news again after a while.
    mutating func isRepeated(_ part: Advertisement.Part, at now: Instant) -> Bool {
        guard let place = recent.firstIndex(where: { $0.kind == part.kind && $0.bytes == part.bytes }) else {
            return false
        }
        let since = recent[place].sequence == nil ? recent[place].accepted : recent[place].heard
        guard now - since < window else { return false }
        recent[place].heard = now
        return true
    }

    /// Other bytes and yet a message that was accepted lately, by its number. Otherwise it counts as accepted.
    mutating func isRepeated(_ part: Advertisement.Part, _ decoded: Decoded?, at now: Instant) -> Bool {
        let message = Message(
            kind: part.kind, bytes: part.bytes, format: decoded?.format, sequence: decoded?.sequence, accepted: now,
            heard: now)
        if let number = message.sequence {
            // Of those that count, one message of a format is enough: its number only goes up.
            if let place = recent.firstIndex(where: {
                $0.kind == message.kind && $0.format == message.format && $0.sequence != nil
            }) {
                let isSame = recent[place].sequence == number && now - recent[place].heard < window
                recent[place] = message
                return isSame
            }
        } else if let place = recent.firstIndex(where: { $0.kind == message.kind && $0.bytes == message.bytes }) {
            recent[place] = message
            return false
        }
        if recent.count < Self.most {
            recent.append(message)
        } else if let oldest = recent.indices.min(by: { recent[$0].heard < recent[$1].heard }) {
            recent[oldest] = message
        }
        return false
    }
}
