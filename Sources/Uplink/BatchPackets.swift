import Glibc
import MQTT

/// The inside of a batch while it is made: PUBLISH packets, each written in one pass from the message's parts, with the
/// route's topic applied, Message Expiry Interval brought up to date, and `t` and `via` added at the end of the properties.
struct BatchPackets: ~Copyable {
    private(set) var count = 0
    private let mapping: TopicMapping
    /// `via = NODE`, encoded; empty where the node is not to be named.
    private let via: [UInt8]
    private var content = RawBytes()

    init(mapping: TopicMapping, node: String) {
        self.mapping = mapping
        var properties = PropertyWriter()
        properties.append(UserProperty("via", node))
        via = properties.bytes
    }

    var bytes: UnsafeRawBufferPointer { content.bytes }
    var byteCount: Int { content.count }

    /// Begins anew and keeps the memory.
    mutating func removeAll() {
        content.removeAll()
        count = 0
    }

    /// Appends a message. `properties` are as stored; `remainingExpiry` is what is left of the Message Expiry Interval in
    /// seconds and nil where the message has none.
    ///
    /// - Returns: false for a message that can't be carried: its mapped topic or its properties pass MQTT's limits.
    mutating func append(
        topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, qos: QoS,
        retain: Bool, receivedAt: WallTime, remainingExpiry: UInt32?
    ) -> Bool {
        let topicLength = mapping.mappedLength(topic)
        let digits = Self.digits(receivedAt.milliseconds)
        let timeLength = 6 + digits + (receivedAt.isSet ? 0 : 1)
        let propertyLength = properties.count + timeLength + via.count
        let remaining =
            2 + topicLength + (qos == .atMostOnce ? 0 : 2) + VariableByteInteger.encodedLength(propertyLength)
            + propertyLength + payload.count
        guard topicLength > 0, topicLength <= 0xFFFF, remaining <= VariableByteInteger.maximum else { return false }

        let start = content.reserve(5 + remaining)
        start.storeBytes(of: 0x30 | qos.rawValue << 1 | (retain ? 1 : 0), as: UInt8.self)
        var end = start + 1
        end += VariableByteInteger.encode(remaining, into: end)
        end.storeBytes(of: UInt16(topicLength).bigEndian, as: UInt16.self)
        end += 2
        if mapping.isIdentity {
            end = Self.copy(topic, to: end)
        } else {
            end = mapping.write(topic, to: end)
        }
        if qos != .atMostOnce {
            end.storeBytes(of: UInt16(1).bigEndian, as: UInt16.self)
            end += 2
        }
        end += VariableByteInteger.encode(propertyLength, into: end)
        let copied = end
        end = Self.copy(properties, to: end)
        if let remainingExpiry, let place = Self.expiryOffset(properties) {
            (copied + place).storeBytes(of: remainingExpiry.bigEndian, as: UInt32.self)
        }
        end = Self.writeTime(receivedAt, digits: digits, to: end)
        end = via.withUnsafeBytes { Self.copy($0, to: end) }
        end = Self.copy(payload, to: end)
        content.commit(end - start)
        count += 1
        return true
    }

    @inline(__always)
    private static func copy(
        _ bytes: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        if let source = bytes.baseAddress { memcpy(target, source, bytes.count) }
        return target + bytes.count
    }

    /// Where the value of Message Expiry Interval stands in raw properties that were checked before.
    static func expiryOffset(_ properties: UnsafeRawBufferPointer) -> Int? {
        for property in PropertyReader(properties) where property.identifier == .messageExpiryInterval {
            guard let start = properties.baseAddress, let place = property.encoded.baseAddress else { return nil }
            return place - start + 1
        }
        return nil
    }

    private static func digits(_ value: Int64) -> Int {
        // Thirteen digits from 2001 to 2286, which is nearly always.
        if value >= 1_000_000_000_000, value < 10_000_000_000_000 { return 13 }
        var count = 1
        var rest = max(0, value)
        while rest >= 10 {
            rest /= 10
            count += 1
        }
        return count
    }

    /// Writes User Property `t`, at most 26 bytes, and returns the place behind it.
    static func writeTime(_ time: WallTime, to target: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        writeTime(time, digits: digits(time.milliseconds), to: target)
    }

    private static func writeTime(
        _ time: WallTime, digits: Int, to target: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        target.storeBytes(of: PropertyIdentifier.userProperty.rawValue, as: UInt8.self)
        (target + 1).storeBytes(of: UInt16(1).bigEndian, as: UInt16.self)
        (target + 3).storeBytes(of: UInt8(ascii: "t"), as: UInt8.self)
        (target + 4).storeBytes(of: UInt16(digits + (time.isSet ? 0 : 1)).bigEndian, as: UInt16.self)
        let text = target + 6
        var rest = UInt64(max(0, time.milliseconds))
        var index = digits
        while index > 0 {
            index -= 1
            text.storeBytes(
                of: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10), toByteOffset: index, as: UInt8.self)
            rest /= 10
        }
        guard !time.isSet else { return text + digits }
        text.storeBytes(of: UInt8(ascii: "?"), toByteOffset: digits, as: UInt8.self)
        return text + digits + 1
    }
}
