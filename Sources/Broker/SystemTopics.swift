import EventLoop

/// What `$SYS/broker/...` remembers from one update to the next, and what the daemon tells it.
public final class SystemTopics {
    /// `$SYS/broker/version`.
    public var version = "roost"
    /// The links as they are now; their queues are known from the broker's routes.
    public var uplinks: () -> [(name: String, isConnected: Bool)] = { [] }

    var loads = LoadAverages()
    /// Topics below `$SYS/broker/` and what was published last: a value that didn't change isn't published again.
    private var values: [String: String] = [:]

    /// How many topics there are: retained messages that are nobody's.
    var count: Int { values.count }

    init() {}

    /// Whether the value is news.
    func note(_ name: String, _ value: String) -> Bool {
        guard values[name] != value else { return false }
        values[name] = value
        return true
    }
}
