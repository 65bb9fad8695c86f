import Access
import Broker
import Configuration

extension AccessSource {
    /// - Parameter settings: with placeholders filled in.
    init(_ settings: AccessSettings) {
        self.init()
        passwordFile = settings.passwordFile
        listFile = settings.aclFile
        users = settings.users.map {
            User(name: $0.name, password: $0.password, publish: $0.publish, subscribe: $0.subscribe)
        }
        guard !settings.jwt.keyFile.isEmpty else { return }
        tokens = TokenRules.Source(
            keyFile: settings.jwt.keyFile, algorithms: settings.jwt.algorithms.map(\.rawValue),
            userClaim: settings.jwt.userClaim, publishClaim: settings.jwt.publishClaim,
            subscribeClaim: settings.jwt.subscribeClaim)
    }
}

extension Settings {
    /// What of the access rules can't be used, by the setting that names it, and what a person should know of the rest.
    func inspectAccess() -> (problems: [(path: String, text: String)], warnings: [(path: String, text: String)]) {
        do throws(AccessProblems) {
            let rules = try AccessRules(AccessSource(access))
            return ([], rules.warnings.map { (path: "access.\($0.setting)", text: $0.text) })
        } catch {
            return (error.problems.map { (path: "access.\($0.setting)", text: $0.text) }, [])
        }
    }

    /// Users' limits on one listener.
    func userLimits(on listener: ListenerSettings) -> [[UInt8]: SharedLimits] {
        var result: [[UInt8]: SharedLimits] = [:]
        for user in access.users where !user.limits.isEmpty {
            result[Array(user.name.utf8)] = SharedLimits(BrokerLimits(limits(on: listener, for: user)))
        }
        return result
    }
}

extension NameSource {
    init(_ listener: ListenerSettings) {
        switch listener.tls.userFrom {
        case .commonName: self = .commonName
        case .subject: self = .subject
        case .subjectAlternativeName: self = .alternativeName
        case .none: self = listener.userFrom == .peer ? .peer : .none
        }
    }
}
