/// `[store]`: how messages are kept on disk and in memory.
public struct StoreSettings: Sendable, Equatable {
    public var durability = Durability.strict
    /// How long destinations that usually answer in time may take before the message is written.
    public var settle: Duration = .milliseconds(20)
    /// The longest that messages nobody waits for (QoS 0; all, if relaxed) stay unwritten.
    public var commit: Duration = .seconds(1)
    /// Bytes in use on disk, all told.
    public var budgetBytes = 1 << 30
    /// Bytes of messages that wait in memory.
    public var memoryBytes = 32 << 20
    public var whenFull = WhenFull.evict
    /// The oldest message kept.
    public var ttl: Duration = .seconds(30 * 86400)

    public init() {}
}

/// What an acknowledgement promises.
public enum Durability: String, Sendable, CaseIterable {
    /// Acknowledged is on disk or delivered.
    case strict
    /// Acknowledged is in memory, on disk within `commit`.
    case relaxed
}

/// What happens when the store's budget is used up.
public enum WhenFull: String, Sendable, CaseIterable {
    /// Lowest priority first, oldest first.
    case evict
    /// 0x97 Quota exceeded.
    case refuse
}

extension StoreSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("durability", &durability, .word())
        fields.value("settle", &settle, .time(in: .zero ... .seconds(60)))
        fields.value("commit", &commit, .time(in: .milliseconds(1) ... .seconds(3600)))
        fields.value("budget", &budgetBytes, .size(in: (16 << 20) ... .max))
        fields.value("memory", &memoryBytes, .size(in: (1 << 20) ... .max))
        fields.value("when_full", &whenFull, .word())
        fields.value("ttl", &ttl, .time(in: .seconds(1) ... .longest))
    }
}
