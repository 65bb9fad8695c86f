/// All of a PUBLISH to be sent but its payload; encoding writes straight into an output buffer. Several subscribers of the
/// same message are served faster by `PublishTemplate`.
public struct PublishHead {
    /// A valid Topic Name; empty only with a Topic Alias that the receiver knows.
    public var topic: UnsafeRawBufferPointer
    public var qos: QoS
    public var isDuplicate: Bool
    public var retain: Bool
    /// Not 0 if QoS > 0.
    public var packetIdentifier: UInt16
    /// Raw properties to copy, without Topic Alias, Subscription Identifiers and Message Expiry Interval.
    public var properties: UnsafeRawBufferPointer
    public var subscriptionIdentifiers: [UInt32]
    /// Seconds that are left.
    public var messageExpiryInterval: UInt32?
    /// 0: none.
    public var topicAlias: UInt16

    public init(
        topic: UnsafeRawBufferPointer, qos: QoS = .atMostOnce, isDuplicate: Bool = false, retain: Bool = false,
        packetIdentifier: UInt16 = 0,
        properties: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        subscriptionIdentifiers: [UInt32] = [], messageExpiryInterval: UInt32? = nil, topicAlias: UInt16 = 0
    ) {
        self.topic = topic
        self.qos = qos
        self.isDuplicate = isDuplicate
        self.retain = retain
        self.packetIdentifier = packetIdentifier
        self.properties = properties
        self.subscriptionIdentifiers = subscriptionIdentifiers
        self.messageExpiryInterval = messageExpiryInterval
        self.topicAlias = topicAlias
    }

    /// Property Length's value.
    private var propertyLength: Int {
        var length = properties.count
        if messageExpiryInterval != nil { length += 5 }
        if topicAlias != 0 { length += 3 }
        if !subscriptionIdentifiers.isEmpty {
            for identifier in subscriptionIdentifiers {
                length += 1 + VariableByteInteger.encodedLength(Int(identifier))
            }
        }
        return length
    }

    func remainingLength(_ version: ProtocolVersion, _ payloadCount: Int) -> Int {
        var length = 2 + topic.count + payloadCount
        if qos != .atMostOnce { length += 2 }
        if version == .v5 {
            let properties = propertyLength
            length += VariableByteInteger.encodedLength(properties) + properties
        }
        return length
    }

    /// The whole packet's length in bytes. Beyond `VariableByteInteger.maximum` it can't be encoded.
    public func encodedLength(version: ProtocolVersion, payloadCount: Int) -> Int {
        let remaining = remainingLength(version, payloadCount)
        return 1 + VariableByteInteger.encodedLength(remaining) + remaining
    }

    /// Writes the whole packet to `memory`, which has room for `encodedLength`, and returns its length.
    public func encode(
        version: ProtocolVersion, payload: UnsafeRawBufferPointer, into memory: UnsafeMutableRawPointer
    ) -> Int {
        let head = encodeHead(version: version, payloadCount: payload.count, into: memory)
        return head + payload.copy(to: memory + head)
    }

    /// Writes all that stands before the payload, and returns its length.
    public func encodeHead(
        version: ProtocolVersion, payloadCount: Int, into memory: UnsafeMutableRawPointer
    ) -> Int {
        let remainingLength = remainingLength(version, payloadCount)
        precondition(
            remainingLength <= VariableByteInteger.maximum && topic.count <= 0xFFFF,
            "a packet holds at most 268,435,455 bytes and a Topic Name 65,535")
        memory.storeBytes(of: Self.firstByte(qos, isDuplicate, retain), as: UInt8.self)
        var end = memory + 1
        end += VariableByteInteger.encode(remainingLength, into: end)
        end.storeBytes(of: UInt16(truncatingIfNeeded: topic.count).bigEndian, as: UInt16.self)
        end += 2
        end += topic.copy(to: end)
        if qos != .atMostOnce {
            end.storeBytes(of: packetIdentifier.bigEndian, as: UInt16.self)
            end += 2
        }
        if version == .v5 { end = encodeProperties(into: end) }
        return end - memory
    }

    private func encodeProperties(into memory: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        var end = memory + VariableByteInteger.encode(propertyLength, into: memory)
        if let messageExpiryInterval {
            end.storeBytes(of: PropertyIdentifier.messageExpiryInterval.rawValue, as: UInt8.self)
            (end + 1).storeBytes(of: messageExpiryInterval.bigEndian, as: UInt32.self)
            end += 5
        }
        if topicAlias != 0 {
            end.storeBytes(of: PropertyIdentifier.topicAlias.rawValue, as: UInt8.self)
            (end + 1).storeBytes(of: topicAlias.bigEndian, as: UInt16.self)
            end += 3
        }
        if !subscriptionIdentifiers.isEmpty {
            for identifier in subscriptionIdentifiers {
                end.storeBytes(of: PropertyIdentifier.subscriptionIdentifier.rawValue, as: UInt8.self)
                end += 1 + VariableByteInteger.encode(Int(identifier), into: end + 1)
            }
        }
        return end + properties.copy(to: end)
    }

    @inline(__always)
    static func firstByte(_ qos: QoS, _ isDuplicate: Bool, _ retain: Bool) -> UInt8 {
        PacketType.publish.rawValue << 4 | (isDuplicate ? 8 : 0) | qos.rawValue << 1 | (retain ? 1 : 0)
    }
}

extension UnsafeRawBufferPointer {
    /// Copies all bytes and returns how many.
    @inline(__always)
    func copy(to memory: UnsafeMutableRawPointer) -> Int {
        if let baseAddress, count > 0 { memory.copyMemory(from: baseAddress, byteCount: count) }
        return count
    }
}
