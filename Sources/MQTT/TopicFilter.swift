/// A Topic Filter that has been checked, in place: MQTT 5 §4.7.1 for the wildcards, §4.8.2 for `$share/{ShareName}/{filter}`.
public struct TopicFilter {
    /// What topics are matched against, without `$share/{ShareName}/`.
    public let filter: UnsafeRawBufferPointer
    /// Empty unless the subscription is shared.
    public let shareName: UnsafeRawBufferPointer
    /// `+` or `#` in `filter`.
    public let hasWildcard: Bool

    public var isShared: Bool { shareName.count > 0 }

    /// - Throws: 0x81 for text that isn't UTF-8 or is empty, wildcards out of place, an ill-formed `$share`.
    public init(_ bytes: UnsafeRawBufferPointer) throws(MQTTError) {
        guard bytes.count > 0, bytes.count <= 0xFFFF else {
            throw .malformed("[MQTT-4.7.3-1] a Topic Filter of no characters")
        }
        let scan = TextScan(bytes)
        guard !scan.contains(.illFormed) else {
            throw .malformed("[MQTT-1.5.4-1] a Topic Filter that is not UTF-8, or holds U+0000")
        }
        var start = 0
        if Self.beginsWithShare(bytes) {
            start = try Self.endOfShareName(bytes) + 1
            shareName = UnsafeRawBufferPointer(rebasing: bytes[7..<start - 1])
        } else {
            shareName = UnsafeRawBufferPointer(start: nil, count: 0)
        }
        filter = UnsafeRawBufferPointer(rebasing: bytes[start...])
        hasWildcard = scan.contains(.wildcard)
        if hasWildcard { try Self.checkWildcards(filter) }
    }

    /// True if `bytes` may be subscribed to.
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        (try? TopicFilter(bytes)) != nil
    }

    private static func beginsWithShare(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let prefix: StaticString = "$share/"
        // `$share` alone is an ordinary filter; `$share/` promises a name.
        guard bytes.count >= 7 else { return false }
        return (0..<7).allSatisfy { bytes[$0] == prefix.utf8Start[$0] }
    }

    private static func endOfShareName(_ bytes: UnsafeRawBufferPointer) throws(MQTTError) -> Int {
        var index = 7
        while index < bytes.count, bytes[index] != 0x2F {
            guard bytes[index] != 0x2B, bytes[index] != 0x23 else {
                throw .malformed("[MQTT-4.8.2-2] a wildcard in a ShareName")
            }
            index += 1
        }
        guard index > 7 else { throw .malformed("[MQTT-4.8.2-1] a ShareName of no characters") }
        guard index + 1 < bytes.count else { throw .malformed("[MQTT-4.8.2-2] no Topic Filter behind the ShareName") }
        return index
    }

    private static func checkWildcards(_ filter: UnsafeRawBufferPointer) throws(MQTTError) {
        let last = filter.count - 1
        for index in 0...last {
            let byte = filter[index]
            guard byte == 0x2B || byte == 0x23 else { continue }
            let opensLevel = index == 0 || filter[index - 1] == 0x2F
            if byte == 0x23 {
                guard opensLevel, index == last else {
                    throw .malformed("[MQTT-4.7.1-1] '#' must be a level of its own, and the last")
                }
            } else {
                guard opensLevel, index == last || filter[index + 1] == 0x2F else {
                    throw .malformed("[MQTT-4.7.1-2] '+' must be a level of its own")
                }
            }
        }
    }
}

extension TopicFilter {
    /// True if a message on `topic` is for a subscription to `filter`, which has no `$share` prefix. Both must be valid.
    /// A wildcard in the first level doesn't match a topic that begins with `$` [MQTT-4.7.2-1].
    public static func matches(filter: UnsafeRawBufferPointer, topic: UnsafeRawBufferPointer) -> Bool {
        guard filter.count > 0, topic.count > 0 else { return false }
        if topic[0] == 0x24, filter[0] == 0x2B || filter[0] == 0x23 { return false }
        var f = 0
        var t = 0
        while f < filter.count {
            let byte = filter[f]
            if byte == 0x23 { return true }
            if byte == 0x2B {
                while t < topic.count, topic[t] != 0x2F { t += 1 }
                f += 1
            } else if t < topic.count, topic[t] == byte {
                t += 1
                f += 1
            } else {
                // `a/#` matches its parent, `a` [§4.7.1.2].
                return t == topic.count && byte == 0x2F && f + 2 == filter.count && filter[f + 1] == 0x23
            }
        }
        return t == topic.count
    }
}
