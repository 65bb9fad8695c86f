extension TopicFilter {
    /// True if some Topic Name matches both filters. Neither has a `$share` prefix; both must be valid.
    public static func overlap(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Bool {
        guard !isKeptOut(first, of: second), !isKeptOut(second, of: first) else { return false }
        var a = Levels(first)
        var b = Levels(second)
        while true {
            let x = a.next()
            let y = b.next()
            // `a/#` and `a` meet in `a` [§4.7.1.2].
            if isHash(x) || isHash(y) { return true }
            guard let x, let y else { return x == nil && y == nil }
            guard isPlus(x) || isPlus(y) || x.elementsEqual(y) else { return false }
        }
    }

    /// True if every Topic Name that matches `inner` matches `outer` too. Neither has a `$share` prefix; both must be valid.
    public static func covers(_ outer: UnsafeRawBufferPointer, _ inner: UnsafeRawBufferPointer) -> Bool {
        guard !isKeptOut(inner, of: outer) else { return false }
        // Every topic has a first level.
        if outer.elementsEqual([0x2B, 0x2F, 0x23]) { return true }
        var a = Levels(outer)
        var b = Levels(inner)
        while true {
            let x = a.next()
            let y = b.next()
            if isHash(x) { return true }
            guard let x, let y else { return x == nil && y == nil }
            guard !isHash(y), isPlus(x) || (!isPlus(y) && x.elementsEqual(y)) else { return false }
        }
    }

    /// A wildcard in the first level doesn't match what begins with `$` [MQTT-4.7.2-1].
    private static func isKeptOut(_ filter: UnsafeRawBufferPointer, of wild: UnsafeRawBufferPointer) -> Bool {
        guard filter.first == 0x24 else { return false }
        return wild.first == 0x2B || wild.first == 0x23
    }

    private static func isHash(_ level: UnsafeRawBufferPointer?) -> Bool { level?.count == 1 && level?.first == 0x23 }
    private static func isPlus(_ level: UnsafeRawBufferPointer) -> Bool { level.count == 1 && level[0] == 0x2B }

    /// The levels of a filter, where they lie.
    private struct Levels {
        private var rest: UnsafeRawBufferPointer?

        init(_ filter: UnsafeRawBufferPointer) { rest = filter }

        mutating func next() -> UnsafeRawBufferPointer? {
            guard let rest else { return nil }
            guard let slash = rest.firstIndex(of: 0x2F) else {
                self.rest = nil
                return rest
            }
            self.rest = UnsafeRawBufferPointer(rebasing: rest[(slash + 1)...])
            return UnsafeRawBufferPointer(rebasing: rest[..<slash])
        }
    }
}
