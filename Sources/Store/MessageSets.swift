/// The sets that messages of the mixed stream are for, each one object for as long as somebody uses it.
struct MessageSets {
    private var sets: [[StreamMember]: MessageSet] = [:]
    /// How many there may be before those that nobody uses any more are looked for.
    private var limit = smallestLimit
    private static let smallestLimit = 1024

    mutating func set(of members: [StreamMember]) -> MessageSet {
        if let known = sets[members] { return known }
        if sets.count >= limit {
            dropUnused()
            limit = max(Self.smallestLimit, 2 * sets.count)
        }
        let set = MessageSet(members)
        sets[members] = set
        return set
    }

    private mutating func dropUnused() {
        var unused: [[StreamMember]] = []
        for index in sets.indices where isKnownUniquelyReferenced(&sets.values[index]) {
            unused.append(sets.keys[index])
        }
        for key in unused { sets[key] = nil }
    }
}
