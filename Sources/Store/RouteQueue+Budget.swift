extension RouteQueue {
    /// What waits has reached the route's own budget, as far as the streams' average message tells.
    public var isOverBudget: Bool {
        let budget = stream.record.budgetBytes
        return budget < .max && Int64(bytes) >= budget
    }
}
