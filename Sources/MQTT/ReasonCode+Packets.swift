/// The two ends of a connection, where a rule differs by who sends.
public enum Peer: Sendable {
    case client, server
}

/// Which Reason Codes each packet may carry, MQTT 5 table 2-6 and the tables of §3.2 to §3.15, and MQTT 3.1.1's return
/// codes.
extension ReasonCode {
    /// True if a packet of `type` may carry this code, whoever sends it.
    public func isAllowed(in type: PacketType) -> Bool {
        switch type {
        case .connack:
            switch rawValue {
            case 0x00, 0x80...0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99...0x9D, 0x9F: true
            default: false
            }
        case .puback, .pubrec:
            // 0x95 isn't in the tables of §3.4 and §3.5, but mosquitto answers a PUBLISH above its message_size_limit with it.
            switch rawValue {
            case 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x95, 0x97, 0x99: true
            default: false
            }
        case .pubrel, .pubcomp:
            rawValue == 0x00 || rawValue == 0x92
        case .suback:
            switch rawValue {
            case 0x00...0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2: true
            default: false
            }
        case .unsuback:
            switch rawValue {
            case 0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91: true
            default: false
            }
        case .disconnect:
            switch rawValue {
            case 0x00, 0x04, 0x80...0x83, 0x87, 0x89, 0x8B...0x90, 0x93...0xA2: true
            default: false
            }
        case .auth:
            rawValue == 0x00 || rawValue == 0x18 || rawValue == 0x19
        case .connect, .publish, .subscribe, .unsubscribe, .pingreq, .pingresp:
            false
        }
    }

    /// As `isAllowed(in:)`, for packets where the specification says who may send which code: DISCONNECT §3.14.2.1 and
    /// AUTH §3.15.2.1.
    public func isAllowed(in type: PacketType, from peer: Peer) -> Bool {
        guard isAllowed(in: type) else { return false }
        switch (type, peer) {
        case (.disconnect, .client):
            switch rawValue {
            case 0x00, 0x04, 0x80...0x83, 0x90, 0x93...0x99: return true
            default: return false
            }
        case (.disconnect, .server): return rawValue != 0x04
        case (.auth, .client): return rawValue != 0x00
        case (.auth, .server): return rawValue != 0x19
        default: return true
        }
    }

    /// The MQTT 3.1.1 CONNACK return code (0 to 5) that says the same, or `nil` where none does and the connection is
    /// closed without a CONNACK [MQTT-3.2.2-6 of 3.1.1].
    public var connectReturnCode: UInt8? {
        switch self {
        case .success: 0
        case .unsupportedProtocolVersion: 1
        case .clientIdentifierNotValid: 2
        case .serverUnavailable, .serverBusy, .serverShuttingDown, .useAnotherServer, .serverMoved, .quotaExceeded,
            .connectionRateExceeded:
            3
        case .badUserNameOrPassword: 4
        case .notAuthorized, .banned, .badAuthenticationMethod: 5
        default: nil
        }
    }

    /// The Reason Code that says what a 3.1.1 CONNACK return code says; `nil` for the reserved ones (6 to 255).
    public init?(connectReturnCode: UInt8) {
        switch connectReturnCode {
        case 0: self = .success
        case 1: self = .unsupportedProtocolVersion
        case 2: self = .clientIdentifierNotValid
        case 3: self = .serverUnavailable
        case 4: self = .badUserNameOrPassword
        case 5: self = .notAuthorized
        default: return nil
        }
    }
}
