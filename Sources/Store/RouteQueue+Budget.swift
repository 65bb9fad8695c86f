extension RouteQueue {
    /// The route's own budget in bytes of packets; nil: it has none.
    public var budgetBytes: Int? {
        let budget = stream.record.budgetBytes
        return budget < .max ? Int(budget) : nil
    }

    /// What waits has reached the route's own budget, as far as the streams' average message tells.
    public var isOverBudget: Bool { budgetBytes.map { bytes >= $0 } ?? false }

    /// Its own budget costs the route messages: it loses its oldest, or publishers are refused. The episode is over once half
    /// of the budget is free.
    public var isAtBudget: Bool { budgetEpisode && isHalfFull }

    private var isHalfFull: Bool { budgetBytes.map { bytes >= $0 / 2 } ?? false }

    /// The budget has just cost a message.
    public func noteBudget() {
        if !isAtBudget { onBudget?() }
        budgetEpisode = true
    }

    /// Whether it was the route's own budget that has just evicted something, and not the store's: the writer leaves little
    /// free of what it keeps to.
    ///
    /// - Parameter evicted: bytes that are not counted among those that wait any more.
    public func evictsForItself(_ evicted: Int = 0) -> Bool {
        budgetBytes.map { (bytes + evicted) / 3 >= $0 / 4 } ?? false
    }

    /// Something is done with.
    func noteLessWaits() {
        if budgetEpisode, !isHalfFull { budgetEpisode = false }
    }
}
