/// What the database's pages may come to since they were last counted, since counting costs two statements that SQLite
/// compiles anew each time: too much for each commit, while the budget is far away.
struct PageEstimate {
    /// Bytes in use when they were counted.
    private(set) var counted: Int
    /// At most what came since: a page that is new is in the write-ahead log.
    private var grown = 0
    private var commits = 0

    /// More than one transaction adds.
    private static let margin = 64 << 20
    private static let longest = 16

    init(counted: Int) { self.counted = counted }

    mutating func noteCommit(bytes: Int) {
        grown += bytes
        commits += 1
    }

    /// The last count is near enough to the truth, and with `others` nowhere near `budget`.
    func suffices(beside others: Int, budget: Int) -> Bool {
        commits < Self.longest && counted + grown + others + Self.margin < budget
    }
}
