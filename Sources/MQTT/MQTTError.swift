/// Why bytes were refused: the Reason Code to close with and the statement they break.
public struct MQTTError: Error, Equatable, Sendable {
    /// What CONNACK or DISCONNECT says on MQTT 5.
    public var reason: ReasonCode
    /// One line for the log; always a literal, so that a hostile peer can't make us allocate.
    public var detail: String
    /// Known once a CONNECT's Protocol Name and level are: the form of the CONNACK that refuses it. `nil` with
    /// `unsupportedProtocolVersion` means a level that we don't know, answered in the 3.1.1 form.
    public var version: ProtocolVersion?

    public init(_ reason: ReasonCode, _ detail: String, version: ProtocolVersion? = nil) {
        self.reason = reason
        self.detail = detail
        self.version = version
    }

    @inline(never)
    static func malformed(_ detail: String) -> MQTTError {
        MQTTError(.malformedPacket, detail)
    }

    @inline(never)
    static func violation(_ detail: String) -> MQTTError {
        MQTTError(.protocolError, detail)
    }
}

extension MQTTError: CustomStringConvertible {
    public var description: String { "\(reason.name): \(detail)" }
}
