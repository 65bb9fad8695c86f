/// A table of the configuration. It names its keys once, in `visit`, for reading, printing and overriding alike. The bridges that
/// ship with Roost describe their part of a `[[module]]` in the same way.
package protocol SettingsTable: Sendable, Equatable {
    /// The documented defaults.
    init()
    mutating func visit(_ fields: inout some Fields)
}

/// What is done with the keys of a table: `FieldsReader` fills them from TOML, `FieldsPrinter` writes them.
package protocol Fields {
    mutating func value<V>(_ key: String, _ value: inout V, _ kind: Kind<V>)
    mutating func table<T: SettingsTable>(_ key: String, _ table: inout T)
    /// An array of tables.
    mutating func tables<T: SettingsTable>(_ key: String, _ tables: inout [T])
    /// `[limits]` in part.
    mutating func limits(_ key: String, _ limits: inout LimitOverrides)
    /// All keys that no other field names.
    mutating func rest(_ rest: inout TOMLTable)
}

/// Why a value is not taken: the end of a message that begins with the place and the key.
package struct Refusal: Error, Equatable {
    package var message: String
    /// Where, if closer than the value itself (an item of an array).
    package var origin: TOMLOrigin?

    package init(_ message: String, origin: TOMLOrigin? = nil) {
        self.message = message
        self.origin = origin
    }
}
