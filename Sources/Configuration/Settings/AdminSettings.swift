/// `[admin]`: how the daemon is looked at and steered.
public struct AdminSettings: Sendable, Equatable {
    /// A Unix socket's path, with placeholders; 0660, peer credentials checked.
    public var socket = "{data}/admin.sock"
    /// Health, metrics, dashboard and API over HTTP; nil: none.
    public var http: Endpoint?
    /// Needed when `http` is not loopback.
    public var tokenFile = ""

    public init() {}
}

extension AdminSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("socket", &socket, .requiredText)
        fields.value("http", &http, .optional(.endpoint))
        fields.value("token_file", &tokenFile, .text)
    }
}
