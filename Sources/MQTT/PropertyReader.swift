/// One property's value, in place.
public enum PropertyValue {
    case byte(UInt8)
    case twoByteInteger(UInt16)
    case fourByteInteger(UInt32)
    case variableByteInteger(UInt32)
    case string(UnsafeRawBufferPointer)
    case binary(UnsafeRawBufferPointer)
    case pair(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)
}

/// One property, in place.
public struct Property {
    public let identifier: PropertyIdentifier
    public let value: PropertyValue
    /// The whole property as encoded, identifier included, for copying it on.
    public let encoded: UnsafeRawBufferPointer
}

/// Reads raw properties (without their Property Length) one by one: `for property in PropertyReader(view.properties)`.
/// As a sequence it ends quietly at bytes that are no property, which can't be in a packet that was decoded; `read()`
/// says what is wrong with them. Values are checked as far as the property alone decides.
public struct PropertyReader: Sequence, IteratorProtocol {
    private var reader: ByteReader

    public init(_ properties: UnsafeRawBufferPointer) { reader = ByteReader(properties) }

    public mutating func next() -> Property? {
        do throws(MQTTError) { return try read() } catch {
            _ = reader.rest()
            return nil
        }
    }

    /// The next property, or `nil` at the end.
    ///
    /// - Throws: 0x81 for an unknown identifier, text that isn't UTF-8, a value cut short; 0x82 for a value that its
    ///   property doesn't allow; 0x94 for Topic Alias 0.
    public mutating func read() throws(MQTTError) -> Property? {
        guard !reader.isAtEnd else { return nil }
        let start = reader.offset
        guard let identifier = PropertyIdentifier(rawValue: try reader.byte()) else {
            throw .malformed("§2.2.2.2 an unknown property")
        }
        let value = try Self.value(of: identifier, &reader)
        let encoded = UnsafeRawBufferPointer(rebasing: reader.bytes[start..<reader.offset])
        return Property(identifier: identifier, value: value, encoded: encoded)
    }

    private static func value(
        of identifier: PropertyIdentifier, _ reader: inout ByteReader
    ) throws(MQTTError) -> PropertyValue {
        switch identifier {
        case .payloadFormatIndicator, .requestProblemInformation, .requestResponseInformation, .maximumQoS,
            .retainAvailable, .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable,
            .sharedSubscriptionAvailable:
            let byte = try reader.byte()
            guard byte <= 1 else { throw .violation("a property that may be 0 or 1 is neither") }
            return .byte(byte)
        case .messageExpiryInterval, .sessionExpiryInterval, .willDelayInterval:
            return .fourByteInteger(try reader.fourByteInteger())
        case .maximumPacketSize:
            let size = try reader.fourByteInteger()
            guard size > 0 else { throw .violation("§3.1.2.11.4 Maximum Packet Size 0") }
            return .fourByteInteger(size)
        case .serverKeepAlive, .topicAliasMaximum:
            return .twoByteInteger(try reader.twoByteInteger())
        case .receiveMaximum:
            let maximum = try reader.twoByteInteger()
            guard maximum > 0 else { throw .violation("§3.1.2.11.3 Receive Maximum 0") }
            return .twoByteInteger(maximum)
        case .topicAlias:
            let alias = try reader.twoByteInteger()
            guard alias > 0 else { throw MQTTError(.topicAliasInvalid, "[MQTT-3.3.2-8] Topic Alias 0") }
            return .twoByteInteger(alias)
        case .subscriptionIdentifier:
            let number = try reader.variableByteInteger()
            guard number > 0 else { throw .violation("§3.8.2.1.2 Subscription Identifier 0") }
            return .variableByteInteger(UInt32(number))
        case .contentType, .assignedClientIdentifier, .authenticationMethod, .responseInformation, .serverReference,
            .reasonString:
            return .string(try reader.string())
        case .responseTopic:
            let topic = try reader.string()
            guard TopicName.isValid(topic) else {
                throw .violation("[MQTT-3.3.2-14] a Response Topic that is no Topic Name")
            }
            return .string(topic)
        case .correlationData, .authenticationData:
            return .binary(try reader.binary())
        case .userProperty:
            let name = try reader.string()
            return .pair(name: name, value: try reader.string())
        }
    }
}

/// Reads a packet's properties and holds them against what that packet may carry.
struct PacketProperties {
    private var reader: PropertyReader
    private let allowed: PropertySet
    private let repeatable: PropertySet
    private var seen = PropertySet()

    init(_ raw: UnsafeRawBufferPointer, allowed: PropertySet, repeatable: PropertySet = .repeatable) {
        reader = PropertyReader(raw)
        self.allowed = allowed
        self.repeatable = repeatable
    }

    /// - Throws: also 0x81 for a property that the packet can't have [§2.2.2.2], 0x82 for one that is repeated.
    mutating func next() throws(MQTTError) -> Property? {
        guard let property = try reader.read() else { return nil }
        guard allowed.contains(property.identifier) else {
            throw .malformed("§2.2.2.2 a property that this packet can't have")
        }
        guard !seen.contains(property.identifier) || repeatable.contains(property.identifier) else {
            throw .violation("a property more than once")
        }
        seen.insert(property.identifier)
        return property
    }

    func has(_ identifier: PropertyIdentifier) -> Bool { seen.contains(identifier) }

    /// Reads all for nothing but its mistakes.
    static func validate(_ raw: UnsafeRawBufferPointer, allowed: PropertySet) throws(MQTTError) {
        guard raw.count > 0 else { return }
        var properties = PacketProperties(raw, allowed: allowed)
        while try properties.next() != nil {}
    }
}
