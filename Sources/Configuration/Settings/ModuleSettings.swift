/// One `[[module]]`: a bridge that runs as a supervised child process.
public struct ModuleSettings: Sendable, Equatable {
    /// One topic level; unique among the modules.
    public var name = ""
    /// "modbus", "bluetooth", or a path.
    public var program = ""
    public var args: [String] = []
    /// The user it runs as; empty: the daemon's own.
    public var user = ""
    /// Topic Filters it may publish to; empty: its own topics.
    public var publish: [String] = []
    public var subscribe: [String] = []
    public var environment: [String: String] = [:]
    /// nil: no limit.
    public var memoryBytes: Int?
    /// Open files, 0: no limit of its own.
    public var openFiles = 0
    public var restart = BackoffSettings(min: .seconds(1), max: .seconds(60))
    /// The rest of the table, with positions: the module's own, checked by the module.
    public var own = TOMLTable()

    public init() {}
}

extension ModuleSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("name", &name, .level)
        fields.value("program", &program, .requiredText)
        fields.value("args", &args, .list(of: .text))
        fields.value("user", &user, .text)
        fields.value("publish", &publish, .list(of: .topicFilter))
        fields.value("subscribe", &subscribe, .list(of: .topicFilter))
        fields.value("environment", &environment, .secretTable)
        fields.value("memory", &memoryBytes, .optional(.size(in: (1 << 20) ... .max)))
        fields.value("open_files", &openFiles, .count(in: 0...10_000_000))
        fields.table("restart", &restart)
        fields.rest(&own)
    }
}
