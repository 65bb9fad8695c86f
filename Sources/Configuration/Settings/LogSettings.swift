/// `[log]`: what goes to standard error.
public struct LogSettings: Sendable, Equatable {
    public var level = LogLevel.info
    public var format = LogFormat.auto

    public init() {}
}

/// From the most to the least talkative.
public enum LogLevel: String, Sendable, CaseIterable {
    case trace
    case debug
    case info
    case notice
    case warning
    case error
}

/// How a line is written.
public enum LogFormat: String, Sendable, CaseIterable {
    /// Whatever suits where standard error goes.
    case auto
    case text
    case json
}

extension LogSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("level", &level, .word())
        fields.value("format", &format, .word())
    }
}
