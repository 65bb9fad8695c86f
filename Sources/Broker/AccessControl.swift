import MQTT

/// Who may connect and do what: the broker asks, and never decides by itself.
public protocol AccessControl: AnyObject {
    /// nil: come in. A Reason Code: why not.
    func refusal(of connect: Connect, peer: String, listener: ListenerOptions) -> ReasonCode?
    func mayPublish(_ client: ClientIdentity, topic: UnsafeRawBufferPointer) -> Bool
    func maySubscribe(_ client: ClientIdentity, filter: UnsafeRawBufferPointer) -> Bool
}

/// As whom a client acts.
public final class ClientIdentity: Sendable {
    public let clientIdentifier: [UInt8]
    public let userName: [UInt8]

    public init(clientIdentifier: [UInt8], userName: [UInt8]) {
        self.clientIdentifier = clientIdentifier
        self.userName = userName
    }
}

/// Anonymous clients as the listener says, and nobody writes `$`-topics.
public final class OpenAccess: AccessControl {
    public init() {}

    public func refusal(of connect: Connect, peer: String, listener: ListenerOptions) -> ReasonCode? {
        switch listener.anonymous {
        case .always: return nil
        case .never: return .notAuthorized
        case .loopback: return Self.isLoopback(peer) ? nil : .notAuthorized
        }
    }

    public func mayPublish(_ client: ClientIdentity, topic: UnsafeRawBufferPointer) -> Bool {
        topic.first != UInt8(ascii: "$")
    }

    public func maySubscribe(_ client: ClientIdentity, filter: UnsafeRawBufferPointer) -> Bool { true }

    static func isLoopback(_ peer: String) -> Bool {
        peer.hasPrefix("127.") || peer.hasPrefix("[::1]") || peer.hasPrefix("unix:") || peer.hasPrefix("[::ffff:127.")
            || peer.hasPrefix("memory")
    }
}
