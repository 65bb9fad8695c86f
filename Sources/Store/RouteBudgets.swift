/// The routes that have budgets of their own: which streams each of them counts for, and which gained since they were last
/// looked at, so that a commit looks at these alone.
struct RouteBudgets {
    private(set) var streams: [String: Set<Int64>] = [:]
    private var due: Set<String> = []

    /// A stream's record came, or changed.
    mutating func note(_ record: StreamRecord) {
        guard case .route(let name) = record.kind else { return }
        guard record.budgetBytes < .max else { return forget(record) }
        streams[name, default: []].insert(record.id.rawValue)
        due.insert(name)
    }

    mutating func forget(_ record: StreamRecord) {
        guard case .route(let name) = record.kind, streams[name]?.remove(record.id.rawValue) != nil else { return }
        if streams[name]?.isEmpty == true { streams[name] = nil }
    }

    /// A segment was added.
    mutating func grew(_ record: StreamRecord?) {
        guard let record, record.budgetBytes < .max, case .route(let name) = record.kind else { return }
        due.insert(name)
    }

    /// The routes to be looked at, in the order of their names.
    mutating func takeDue() -> [String] {
        defer { due = [] }
        return due.sorted()
    }
}
