/// The protocol a connection speaks, decided by its CONNECT packet. MQTT 3.1 (`MQIsdp`, level 3) is served as 3.1.1,
/// from which it differs in nothing that this codec sees after CONNECT.
public enum ProtocolVersion: UInt8, Sendable {
    case v311 = 4
    case v5 = 5
}

/// MQTT Control Packet types, MQTT 5 §2.1.2. Type 0 is forbidden; `auth` exists on MQTT 5 alone.
public enum PacketType: UInt8, Sendable, CaseIterable {
    case connect = 1
    case connack, publish, puback, pubrec, pubrel, pubcomp
    case subscribe, suback, unsubscribe, unsuback
    case pingreq, pingresp, disconnect, auth

    /// The fixed header's flags that every packet of this type carries [MQTT-2.1.3-1]; PUBLISH has flags of its own.
    @inlinable
    public var reservedFlags: UInt8 {
        switch self {
        case .pubrel, .subscribe, .unsubscribe: 0b0010
        default: 0
        }
    }

    /// The fixed header's first byte, for every type but PUBLISH.
    @inlinable
    public var firstByte: UInt8 { rawValue << 4 | reservedFlags }
}

/// Quality of Service levels, MQTT 5 §4.3.
public enum QoS: UInt8, Sendable, Comparable {
    case atMostOnce = 0
    case atLeastOnce, exactlyOnce

    @inlinable
    public static func < (left: QoS, right: QoS) -> Bool { left.rawValue < right.rawValue }
}
