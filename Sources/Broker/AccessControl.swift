import EventLoop
import MQTT

/// Who may connect and do what: the broker asks, and never decides by itself. All of it on the loop.
public protocol AccessControl: AnyObject {
    /// Decides about a CONNECT. `then` is called once, at once or later; the client's further packets wait meanwhile, and it
    /// may be gone by then.
    func admit(_ candidate: Candidate, then: @escaping (Admission) -> Void)

    /// An enhanced authentication of a candidate (MQTT 5 §4.12), or of a client that is connected and shows again who it is; nil:
    /// there is no such method for it.
    func authentication(by method: String, of candidate: Candidate) -> (any Authentication)?

    /// The client as it stands under the rules of now, which have changed since it was let in; nil: it may not stay.
    func review(_ identity: ClientIdentity) -> ClientIdentity?

    /// Whether the session of one client may become another's, who comes with the same Client Identifier.
    func mayTakeOver(_ owner: ClientIdentity, by newcomer: ClientIdentity) -> Bool

    /// The owner of a session that an earlier run has left. What waits for it is judged again when it comes back.
    func restored(clientIdentifier: [UInt8], userName: [UInt8]) -> ClientIdentity
}

extension AccessControl {
    public func authentication(by method: String, of candidate: Candidate) -> (any Authentication)? { nil }

    public func mayTakeOver(_ owner: ClientIdentity, by newcomer: ClientIdentity) -> Bool { true }
}

/// Told which clients come and go at a listener, once they have been let in. On the loop.
public protocol Attendance: AnyObject {
    func clientDidArrive(_ identity: ClientIdentity)
    func clientDidLeave(_ identity: ClientIdentity)
}

/// A client that wants to come in, with everything that may show who it is.
public struct Candidate {
    public let clientIdentifier: [UInt8]
    public let userName: [UInt8]?
    public let password: [UInt8]?
    /// Its address, as streams have it.
    public let peer: String
    public let listener: ListenerOptions
    /// Verified, where it showed one.
    public let certificate: PeerCertificate?
    /// On a Unix socket.
    public let credentials: PeerCredentials?
    /// Bytes of its CONNECT, which are kept while it waits.
    public let byteCount: Int

    public init(
        clientIdentifier: [UInt8], userName: [UInt8]? = nil, password: [UInt8]? = nil, peer: String,
        listener: ListenerOptions, certificate: PeerCertificate? = nil, credentials: PeerCredentials? = nil,
        byteCount: Int = 0
    ) {
        self.clientIdentifier = clientIdentifier
        self.userName = userName
        self.password = password
        self.peer = peer
        self.listener = listener
        self.certificate = certificate
        self.credentials = credentials
        self.byteCount = byteCount
    }
}

/// What becomes of a candidate.
public enum Admission {
    case admitted(ClientIdentity)
    /// `why` is for the log; nil where it has been said.
    case refused(ReasonCode, why: String?)
}

/// As whom a client acts, and what it may do.
public final class ClientIdentity {
    /// What its session is known by, which may be another than CONNECT's.
    public let clientIdentifier: [UInt8]
    /// Of whom it has shown to be; empty: nobody.
    public let userName: [UInt8]
    /// nil: all that any client may.
    public let rights: (any TopicRights)?
    /// Milliseconds since 1970 UTC at which it must go (a token that expires); nil: never.
    public let validUntil: Int64?
    /// How it was shown: the access control's own.
    public let proof: AnyObject?

    public init(
        clientIdentifier: [UInt8], userName: [UInt8] = [], rights: (any TopicRights)? = nil, validUntil: Int64? = nil,
        proof: AnyObject? = nil
    ) {
        self.clientIdentifier = clientIdentifier
        self.userName = userName
        self.rights = rights
        self.validUntil = validUntil
        self.proof = proof
    }
}

/// What one client may publish and receive. The broker keeps the answers by topic for as long as the client has these
/// rights, so they must not change: other rights are another object.
public protocol TopicRights: AnyObject {
    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool
    func mayReceive(_ topic: UnsafeRawBufferPointer) -> Bool

    /// The other allows the same, of every topic. Where that isn't known: false.
    func equal(_ other: any TopicRights) -> Bool

    /// The filter could match something that may be received; what it may not is left out at delivery. No `$share` prefix.
    func maySubscribe(to filter: UnsafeRawBufferPointer) -> Bool
}

extension TopicRights {
    public func equal(_ other: any TopicRights) -> Bool { self === other }
}

/// Nothing at all: of those whose user is gone.
final class NoRights: TopicRights {
    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool { false }
    func mayReceive(_ topic: UnsafeRawBufferPointer) -> Bool { false }
    func maySubscribe(to filter: UnsafeRawBufferPointer) -> Bool { false }
}

/// Without any rule: the listener's word on anonymous clients alone, and everybody is one.
public final class OpenAccess: AccessControl {
    public init() {}

    public func admit(_ candidate: Candidate, then: @escaping (Admission) -> Void) {
        if let refusal = candidate.anonymousRefusal { return then(refusal) }
        then(.admitted(ClientIdentity(clientIdentifier: candidate.clientIdentifier)))
    }

    public func review(_ identity: ClientIdentity) -> ClientIdentity? { identity }

    public func restored(clientIdentifier: [UInt8], userName: [UInt8]) -> ClientIdentity {
        ClientIdentity(clientIdentifier: clientIdentifier, userName: userName)
    }
}

extension Candidate {
    /// nil: it may come in without a login.
    public var anonymousRefusal: Admission? {
        switch listener.anonymous {
        case .always: nil
        case .never: .refused(.notAuthorized, why: "no login, and listener.anonymous is never")
        case .loopback:
            isLocal
                ? nil
                : .refused(.notAuthorized, why: "no login, from another machine, and listener.anonymous is loopback")
        }
    }

    /// From this machine.
    private var isLocal: Bool {
        // A Unix socket that has no name is one all the same; "memory": within the process.
        Endpoint(parsing: peer)?.isOfThisMachine ?? (peer.hasPrefix("unix:") || peer.hasPrefix("memory"))
    }
}
