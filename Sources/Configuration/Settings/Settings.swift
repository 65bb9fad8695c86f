/// Everything `roost.toml` can say, typed: sizes in bytes, times as `Duration`, rates in bits a second, closed words as
/// enums. A fresh value holds the documented defaults. `Settings.load` reads a file; `printed()` writes one that reads
/// back equal. Texts with placeholders (`{node}`, `{label:site}`) are kept as written; `expanded()` fills them in.
public struct Settings: Sendable, Equatable {
    /// How long a drain may take after SIGTERM. TOML: `shutdown_seconds`.
    public var shutdown: Duration = .seconds(10)
    public var loops = LoopCount.fixed(1)
    public var node = NodeSettings()
    /// Never empty after reading: without any, one on 127.0.0.1:1883.
    public var listeners = [ListenerSettings()]
    public var limits = LimitSettings()
    public var store = StoreSettings()
    public var access = AccessSettings()
    public var uplinks: [UplinkSettings] = []
    public var ingest = IngestSettings()
    public var twin = TwinSettings()
    public var modules: [ModuleSettings] = []
    public var admin = AdminSettings()
    public var log = LogSettings()
    /// A line for each variable of the environment that begins with `ROOST_` and is no setting.
    var strangers: [String] = []

    public init() {}
}

/// How many event loops run.
public enum LoopCount: Sendable, Equatable {
    case fixed(Int)
    /// One a core.
    case auto
}

extension Settings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("shutdown_seconds", &shutdown, .time(in: .zero ... .seconds(3600)))
        fields.value("loops", &loops, .loops)
        fields.table("node", &node)
        fields.tables("listener", &listeners)
        fields.table("limits", &limits)
        fields.table("store", &store)
        fields.table("access", &access)
        fields.tables("uplink", &uplinks)
        fields.table("ingest", &ingest)
        fields.table("twin", &twin)
        fields.tables("module", &modules)
        fields.table("admin", &admin)
        fields.table("log", &log)
    }
}
