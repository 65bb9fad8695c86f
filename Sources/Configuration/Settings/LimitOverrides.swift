/// The limits that a listener or a user has otherwise than `[limits]`: only the keys that were given count.
public struct LimitOverrides: Sendable, Equatable {
    /// TOML names of the keys that were given.
    public private(set) var given: Set<String> = []
    public private(set) var values = LimitSettings()

    public init() {}

    init(given: Set<String>, values: LimitSettings) {
        self.given = given
        self.values = values
    }

    public var isEmpty: Bool { given.isEmpty }

    /// `base` with the given keys in the place of its own.
    public func applied(to base: LimitSettings) -> LimitSettings {
        guard !given.isEmpty else { return base }
        var collected = FieldsCollector()
        var source = values
        source.visit(&collected)
        var assigning = FieldsAssigner(values: collected.values.filter { given.contains($0.key) })
        var result = base
        result.visit(&assigning)
        return result
    }
}

extension Settings {
    /// The limits that hold for a client on `listener` that logged in as `user`: the user's before the listener's before
    /// `[limits]`.
    public func limits(on listener: ListenerSettings, for user: UserSettings? = nil) -> LimitSettings {
        let base = listener.limits.applied(to: limits)
        return user?.limits.applied(to: base) ?? base
    }
}

/// Gathers a flat table's values by key.
private struct FieldsCollector: Fields {
    var values: [String: Any] = [:]

    mutating func value<V>(_ key: String, _ value: inout V, _ kind: Kind<V>) { values[key] = value }
    mutating func table<T: SettingsTable>(_ key: String, _ table: inout T) {}
    mutating func tables<T: SettingsTable>(_ key: String, _ tables: inout [T]) {}
    mutating func limits(_ key: String, _ limits: inout LimitOverrides) {}
    mutating func rest(_ rest: inout TOMLTable) {}
}

/// Puts gathered values in the place of a flat table's own.
private struct FieldsAssigner: Fields {
    let values: [String: Any]

    mutating func value<V>(_ key: String, _ value: inout V, _ kind: Kind<V>) {
        guard let replacement = values[key] as? V else { return }
        value = replacement
    }
    mutating func table<T: SettingsTable>(_ key: String, _ table: inout T) {}
    mutating func tables<T: SettingsTable>(_ key: String, _ tables: inout [T]) {}
    mutating func limits(_ key: String, _ limits: inout LimitOverrides) {}
    mutating func rest(_ rest: inout TOMLTable) {}
}
