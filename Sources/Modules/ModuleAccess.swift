import Broker
import Configuration
import MQTT

/// Access control that knows modules, in front of the one that knows everybody else. A module is who comes over its own socket,
/// or shows the password that its process was given; its user name is `module:NAME`, and nobody else's.
public final class ModuleAccess: AccessControl {
    private let others: any AccessControl
    /// By user name.
    private var rights: [[UInt8]: ModuleRights] = [:]
    weak var host: ModuleHost?

    /// Says of an identity that it is a module's.
    private final class Proof {}
    private let proof = Proof()

    /// - Parameters:
    ///   - others: who decides about all that are no modules.
    ///   - modules: with placeholders filled in. Known before the broker is made, which asks whose the sessions are that an
    ///     earlier run has left.
    public init(_ others: any AccessControl, modules: [ModuleSettings]) {
        self.others = others
        for module in modules { know(module) }
    }

    func know(_ module: ModuleSettings) { rights[Self.userName(of: module.name)] = ModuleRights(module) }

    func forget(_ name: String) { rights[Self.userName(of: name)] = nil }

    static func userName(of module: String) -> [UInt8] { Array("module:\(module)".utf8) }

    /// The module's that has this user name.
    static func module(of userName: [UInt8]) -> String? {
        userName.starts(with: prefix) ? String(decoding: userName.dropFirst(prefix.count), as: UTF8.self) : nil
    }

    private static let prefix = Array("module:".utf8)

    // MARK: - AccessControl

    public func admit(_ candidate: Candidate, then: @escaping (Admission) -> Void) {
        switch candidate.listener.attendance {
        case let module as Module:
            then(admission(candidate, module.settings.name))
        case let host as ModuleHost:
            guard let userName = candidate.userName, let password = candidate.password,
                let module = host.login(userName, password)
            else {
                return then(
                    .refused(
                        .badUserNameOrPassword,
                        why: "not ROOST_MQTT_USERNAME and ROOST_MQTT_PASSWORD of a module's process that runs now"))
            }
            then(admission(candidate, module.settings.name))
        default:
            guard !candidate.listener.isInternal else {
                return then(.refused(.notAuthorized, why: "its module is no longer configured"))
            }
            others.admit(candidate, then: then)
        }
    }

    private func admission(_ candidate: Candidate, _ name: String) -> Admission {
        let identifier = Self.identifier(candidate.clientIdentifier, of: name)
        guard let identity = identity(identifier, Self.userName(of: name)) else {
            return .refused(.notAuthorized, why: "module \(name) is no longer configured")
        }
        return .admitted(identity)
    }

    /// What a library calls its client stands behind the module's name, so that it can be nobody else's.
    static func identifier(_ given: [UInt8], of name: String) -> [UInt8] {
        let own = Array(name.utf8)
        let isOwn = given == own || given.starts(with: own + [UInt8(ascii: "-")])
        return isOwn ? given : own + [UInt8(ascii: "-")] + given
    }

    public func authentication(by method: String, of candidate: Candidate) -> (any Authentication)? {
        !candidate.listener.isInternal ? others.authentication(by: method, of: candidate) : nil
    }

    public func review(_ identity: ClientIdentity) -> ClientIdentity? {
        guard identity.proof is Proof else { return others.review(identity) }
        return self.identity(identity.clientIdentifier, identity.userName)
    }

    public func restored(clientIdentifier: [UInt8], userName: [UInt8]) -> ClientIdentity {
        guard userName.starts(with: Self.prefix) else {
            return others.restored(clientIdentifier: clientIdentifier, userName: userName)
        }
        return identity(clientIdentifier, userName)
            ?? ClientIdentity(
                clientIdentifier: clientIdentifier, userName: userName,
                rights: ModuleRights(publish: [], subscribe: []), proof: proof)
    }

    /// A module's session is its own, and others' are not a module's. That of a module which is gone is nobody's.
    public func mayTakeOver(_ owner: ClientIdentity, by newcomer: ClientIdentity) -> Bool {
        let ownerIsModule = owner.userName.starts(with: Self.prefix)
        if ownerIsModule, rights[owner.userName] == nil { return true }
        let newcomerIsModule = newcomer.proof is Proof
        guard ownerIsModule || newcomerIsModule else { return others.mayTakeOver(owner, by: newcomer) }
        return ownerIsModule && newcomerIsModule && owner.userName == newcomer.userName
    }

    private func identity(_ clientIdentifier: [UInt8], _ userName: [UInt8]) -> ClientIdentity? {
        rights[userName].map {
            ClientIdentity(clientIdentifier: clientIdentifier, userName: userName, rights: $0, proof: proof)
        }
    }
}
