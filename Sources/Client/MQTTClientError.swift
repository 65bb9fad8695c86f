import MQTT

/// Why a connection, or the attempt at one, ended.
public enum MQTTClientError: Error, Equatable, Sendable {
    /// We sent DISCONNECT, or `abort` was called: asked for.
    case disconnected
    /// No network connection; the text holds what the system said.
    case cannotConnect(String)
    /// No CONNACK within `connectTimeout`.
    case connectTimeout
    /// CONNACK refused us; the text is its Reason String, often empty.
    case refused(ReasonCode, String)
    /// The Server sent DISCONNECT, with its Reason Code and Reason String.
    case serverDisconnected(ReasonCode, String)
    /// The Server, or something on the way, closed the connection without a word.
    case closedByPeer
    /// Reading or writing failed; the text holds what the system said.
    case connectionLost(String)
    /// A layer below MQTT (TLS, WebSocket) could not be agreed on, or was broken; the text says which, and why.
    case layerFailed(String)
    /// PINGREQ stayed unanswered.
    case keepAliveMissed
    /// What the Server sent breaks the protocol.
    case protocolError(MQTTError)
}

extension MQTTClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .disconnected: "disconnected"
        case .cannotConnect(let text): "cannot connect: \(text)"
        case .connectTimeout: "connected, but no CONNACK came in time"
        case .refused(let reason, let text): "refused: \(Self.text(reason, text))"
        case .serverDisconnected(let reason, let text): "the server disconnected us: \(Self.text(reason, text))"
        case .closedByPeer: "the server closed the connection"
        case .connectionLost(let text): "connection lost: \(text)"
        case .layerFailed(let text): text
        case .keepAliveMissed: "the server stopped answering (keep alive)"
        case .protocolError(let error): "the server broke the protocol: \(error)"
        }
    }

    private static func text(_ reason: ReasonCode, _ text: String) -> String {
        text.isEmpty ? reason.name : "\(reason.name) (\(text))"
    }
}
