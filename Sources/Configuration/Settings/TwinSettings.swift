/// `[twin]`: device twins.
public struct TwinSettings: Sendable, Equatable {
    public var enabled = true
    public var autoCreate = true
    public var strictValues = true
    /// Kept at most, other nodes' included.
    public var devices = 200_000

    public init() {}
}

extension TwinSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("enabled", &enabled, .flag)
        fields.value("auto_create", &autoCreate, .flag)
        fields.value("strict_values", &strictValues, .flag)
        fields.value("devices", &devices, .count(in: 1...10_000_000))
    }
}
