import EventLoop

/// What one device said last, so that what is heard several times counts once. Radios repeat an advertisement on three channels,
/// devices for seconds or minutes.
struct DuplicateFilter {
    private struct Last {
        var bytes: [UInt8]
        var format: AdvertisementFormat?
        var sequence: UInt32?
        var accepted: Instant
        var heard: Instant
    }

    private var parts: [Advertisement.Part.Kind: Last] = [:]
    private let window: Duration

    /// Kinds of parts of one device that are remembered.
    private static let most = 16

    init(window: Duration) { self.window = window }

    /// The same bytes as before. Of a device that counts they are the same message for as long as it goes on repeating them; of
    /// one that doesn't, they are news again after a while.
    mutating func isRepeated(_ part: Advertisement.Part, at now: Instant) -> Bool {
        guard let last = parts[part.kind], last.bytes == part.bytes else { return false }
        let since = last.sequence == nil ? last.accepted : last.heard
        guard now - since < window else { return false }
        parts[part.kind]?.heard = now
        return true
    }

    /// Other bytes and yet the message that was accepted last, by its number. Otherwise it counts as accepted.
    mutating func isRepeated(_ part: Advertisement.Part, _ decoded: Decoded?, at now: Instant) -> Bool {
        let last = parts[part.kind]
        let isSame =
            last.map { last in
                last.sequence != nil && last.sequence == decoded?.sequence && last.format == decoded?.format
                    && now - last.heard < window
            } ?? false
        if last == nil, parts.count >= Self.most, let oldest = parts.min(by: { $0.value.heard < $1.value.heard })?.key {
            parts[oldest] = nil
        }
        parts[part.kind] = Last(
            bytes: part.bytes, format: decoded?.format, sequence: decoded?.sequence,
            accepted: isSame ? last?.accepted ?? now : now, heard: now)
        return isSame
    }
}
