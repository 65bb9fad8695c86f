extension GapRecord {
    /// The two are neighbours, or overlap, of one run and one reason.
    func joins(_ other: GapRecord) -> Bool {
        route == other.route && run == other.run && lane == other.lane && reason == other.reason
            && first <= other.last + 1 && other.first <= last + 1
    }

    func joined(with other: GapRecord) -> GapRecord {
        var joined = self
        joined.first = min(first, other.first)
        joined.last = max(last, other.last)
        joined.from = min(from, other.from)
        joined.to = max(to, other.to)
        return joined
    }
}
