import Store

/// Whose turn it is: classes share the link by weight, in bytes on the wire, and within a class the routes share it equally.
///
/// Start-time fair queueing: each class has a clock of its own that its bytes move on, the slower the more weight it has, and
/// the class that is furthest behind is next. One that had nothing to send starts at the present, not in the past: it can't
/// save a share up, and can't be made to wait for one either, so a class of weight that speaks seldom is always first.
/// While all have something to send, none gets less than its weight's part: of 29 parts critical has 16 (55 %), high 8
/// (28 %), normal 4 (14 %), bulk 1 (3 %); what one leaves the others share.
struct FairShare {
    private struct Account {
        var clock = 0.0
        /// Had something to send when last looked at.
        var isActive = false
    }

    private let classOf: [Int]
    private var classes: [Account]
    private var members: [Account]
    private var present: Double = 0
    private var presentOfClass: [Double]

    /// - Parameter priorities: of each route.
    init(_ priorities: [EvictionClass]) {
        classOf = priorities.map(Self.rank)
        classes = Array(repeating: Account(), count: Self.weights.count)
        members = Array(repeating: Account(), count: priorities.count)
        presentOfClass = Array(repeating: 0, count: Self.weights.count)
    }

    private static let weights = [16.0, 8, 4, 1]

    private static func rank(_ priority: EvictionClass) -> Int {
        switch priority {
        case .critical: 0
        case .high: 1
        case .normal: 2
        case .bulk, .session: 3
        }
    }

    /// Says which routes have something to send; to be told before `next`.
    mutating func setDue(_ due: [Bool]) {
        var isClassDue = Array(repeating: false, count: classes.count)
        for (member, isDue) in due.enumerated() where isDue { isClassDue[classOf[member]] = true }
        for rank in classes.indices {
            if isClassDue[rank], !classes[rank].isActive { classes[rank].clock = max(classes[rank].clock, present) }
            classes[rank].isActive = isClassDue[rank]
        }
        for member in due.indices { setDue(member, due[member]) }
    }

    private mutating func setDue(_ member: Int, _ isDue: Bool) {
        if isDue, !members[member].isActive {
            members[member].clock = max(members[member].clock, presentOfClass[classOf[member]])
        }
        members[member].isActive = isDue
    }

    /// The route that is next among those that `may` send now; nil: none may.
    func next(_ may: (Int) -> Bool) -> Int? {
        var best: Int?
        for member in members.indices where members[member].isActive && may(member) {
            guard let other = best else {
                best = member
                continue
            }
            let rank = classOf[member]
            let otherRank = classOf[other]
            if rank == otherRank {
                if members[member].clock < members[other].clock { best = member }
            } else if (classes[rank].clock, rank) < (classes[otherRank].clock, otherRank) {
                best = member
            }
        }
        return best
    }

    /// The route has sent so many bytes.
    mutating func charge(_ member: Int, bytes: Int) {
        let rank = classOf[member]
        present = max(present, classes[rank].clock)
        presentOfClass[rank] = max(presentOfClass[rank], members[member].clock)
        classes[rank].clock += Double(bytes) / Self.weights[rank]
        members[member].clock += Double(bytes)
    }

    /// The route has nothing more to send.
    mutating func rest(_ member: Int) { members[member].isActive = false }
}
