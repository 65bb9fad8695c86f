/// One `[[listener]]`: an address that clients connect to.
public struct ListenerSettings: Sendable, Equatable {
    public var bind = Endpoint.network(host: "127.0.0.1", port: 1883)
    public var transport = Transport.mqtt
    public var anonymous = AnonymousAccess.loopback
    public var maxConnections = 10000
    public var proxyProtocol = ProxyProtocol.off
    /// What names a client of a Unix socket.
    public var userFrom = SocketUser.none
    public var tls = ListenerTLSSettings()
    /// What this listener has otherwise than `[limits]`.
    public var limits = LimitOverrides()

    public init() {}
}

/// What a listener's connections speak.
public enum Transport: String, Sendable, CaseIterable {
    case mqtt
    case websocket
    /// Told apart by the first bytes.
    case auto
}

/// Who may connect without a name.
public enum AnonymousAccess: String, Sendable, CaseIterable {
    /// Peers on this machine, which includes Unix sockets.
    case loopback
    case always
    case never
}

/// What names a client that hasn't logged in.
public enum SocketUser: String, Sendable, CaseIterable {
    case none
    /// The user of the system at the other end of a Unix socket.
    case peer
}

/// The version of HAProxy's PROXY header that every connection must begin with.
public enum ProxyProtocol: Int, Sendable, CaseIterable {
    case off = 0
    case version1 = 1
    case version2 = 2
}

/// A listener's certificates. TLS is on when `certificate` is given.
public struct ListenerTLSSettings: Sendable, Equatable {
    public var certificate = ""
    public var key = ""
    /// Certificates of clients are checked against these authorities.
    public var clientCA = ""
    public var crl = ""
    public var requireClient = false
    public var userFrom = CertificateUser.none
    /// Certificates for other names (Server Name Indication).
    public var more: [CertificateSettings] = []

    public init() {}

    public var isEnabled: Bool { !certificate.isEmpty }
}

/// Where in a client's certificate its user name stands.
public enum CertificateUser: String, Sendable, CaseIterable {
    case none
    case commonName = "cn"
    case subject
    case subjectAlternativeName = "san"
}

/// A certificate chain and its private key, both paths of PEM files.
public struct CertificateSettings: Sendable, Equatable {
    public var certificate = ""
    public var key = ""

    public init() {}
}

extension ListenerSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("bind", &bind, .endpoint)
        fields.value("transport", &transport, .word())
        fields.value("anonymous", &anonymous, .word())
        fields.value("max_connections", &maxConnections, .count(in: 1...10_000_000))
        fields.value("proxy_protocol", &proxyProtocol, .number())
        fields.value("user_from", &userFrom, .word())
        fields.table("tls", &tls)
        fields.limits("limits", &limits)
    }
}

extension ListenerTLSSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("certificate", &certificate, .text)
        fields.value("key", &key, .text)
        fields.value("client_ca", &clientCA, .text)
        fields.value("crl", &crl, .text)
        fields.value("require_client", &requireClient, .flag)
        fields.value("user_from", &userFrom, .word())
        fields.tables("more", &more)
    }
}

extension CertificateSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("certificate", &certificate, .requiredText)
        fields.value("key", &key, .requiredText)
    }
}
