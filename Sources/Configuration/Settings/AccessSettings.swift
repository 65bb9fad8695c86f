/// `[access]`: who may connect, publish and subscribe.
public struct AccessSettings: Sendable, Equatable {
    /// In mosquitto_passwd's format; empty: none.
    public var passwordFile = ""
    /// In mosquitto's format; empty: none.
    public var aclFile = ""
    public var jwt = JWTSettings()
    public var users: [UserSettings] = []

    public init() {}
}

/// JSON Web Tokens as passwords. On when `keyFile` is given.
public struct JWTSettings: Sendable, Equatable {
    public var keyFile = ""
    public var algorithms: [JWTAlgorithm] = [.rs256, .es256]
    public var userClaim = "sub"
    public var publishClaim = "publish"
    public var subscribeClaim = "subscribe"

    public init() {}
}

/// The signatures of RFC 7518 §3.1.
public enum JWTAlgorithm: String, Sendable, CaseIterable {
    case hs256 = "HS256"
    case hs384 = "HS384"
    case hs512 = "HS512"
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
}

/// One `[[access.user]]`.
public struct UserSettings: Sendable, Equatable {
    public var name = ""
    /// A hash in mosquitto_passwd's format, from `roost passwd`; a secret all the same. Empty: no login by password.
    public var password = ""
    /// Topic Filters the user may publish to.
    public var publish: [String] = []
    public var subscribe: [String] = []
    /// What this user has otherwise than the listener or `[limits]`.
    public var limits = LimitOverrides()

    public init() {}
}

extension AccessSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("password_file", &passwordFile, .text)
        fields.value("acl_file", &aclFile, .text)
        fields.table("jwt", &jwt)
        fields.tables("user", &users)
    }
}

extension JWTSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("key_file", &keyFile, .text)
        fields.value("algorithms", &algorithms, .list(of: .word()))
        fields.value("user_claim", &userClaim, .requiredText)
        fields.value("publish_claim", &publishClaim, .text)
        fields.value("subscribe_claim", &subscribeClaim, .text)
    }
}

extension UserSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("name", &name, .requiredText)
        fields.value("password", &password, .passwordHash)
        fields.value("publish", &publish, .list(of: .topicFilter))
        fields.value("subscribe", &subscribe, .list(of: .topicFilter))
        fields.limits("limits", &limits)
    }
}
