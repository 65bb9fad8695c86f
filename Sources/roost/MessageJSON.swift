import EventLoop
import MQTT

/// A received message as one line of JSON, written without an encoder in between.
enum MessageJSON {
    /// `{"topic", "payload" or "payload_base64", "qos", "retain", "received_at", "properties"}`; the time is milliseconds
    /// since 1970, properties are left out where there are none.
    static func append(_ publish: PublishView, to buffer: inout ByteBuffer) {
        let now = LocalTime.now
        buffer.append(text: "{\"topic\":")
        appendString(publish.topic, to: &buffer)
        appendPayload(publish.payload, to: &buffer)
        buffer.append(text: ",\"qos\":\(publish.qos.rawValue),\"retain\":\(publish.retain)")
        buffer.append(text: ",\"received_at\":\(now.seconds * 1000 + now.nanoseconds / 1_000_000)")
        if publish.properties.count > 0 { appendProperties(publish, to: &buffer) }
        buffer.append(text: "}\n")
    }

    /// The keys of mosquitto_sub's %j and %J.
    static func appendAsMosquitto(
        _ publish: PublishView, _ now: (seconds: Int, nanoseconds: Int), payloadIsJSON: Bool,
        to buffer: inout ByteBuffer
    ) {
        let microseconds = String(now.nanoseconds / 1000)
        let fraction = String(repeating: "0", count: 6 - microseconds.count) + microseconds
        let zone = LocalTime.format("%z", seconds: now.seconds)
        buffer.append(
            text: "{\"tst\":\"\(LocalTime.format("%Y-%m-%dT%H:%M:%S", seconds: now.seconds)).\(fraction)\(zone)\"")
        buffer.append(text: ",\"topic\":")
        appendString(publish.topic, to: &buffer)
        buffer.append(text: ",\"qos\":\(publish.qos.rawValue),\"retain\":\(publish.retain ? 1 : 0)")
        buffer.append(text: ",\"payloadlen\":\(publish.payload.count)")
        if publish.qos > .atMostOnce { buffer.append(text: ",\"mid\":\(publish.packetIdentifier)") }
        if publish.properties.count > 0 { appendProperties(publish, to: &buffer) }
        buffer.append(text: ",\"payload\":")
        if payloadIsJSON && publish.payload.count > 0 {
            buffer.append(publish.payload)
        } else if payloadIsJSON {
            buffer.append(text: "null")
        } else {
            appendString(publish.payload, to: &buffer)
        }
        buffer.append(byte: UInt8(ascii: "}"))
    }

    private static func appendPayload(_ payload: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        if isWellFormedUTF8(payload) {
            buffer.append(text: ",\"payload\":")
            appendString(payload, to: &buffer)
        } else {
            buffer.append(text: ",\"payload_base64\":\"")
            appendBase64(payload, to: &buffer)
            buffer.append(byte: UInt8(ascii: "\""))
        }
    }

    private static func appendProperties(_ publish: PublishView, to buffer: inout ByteBuffer) {
        buffer.append(text: ",\"properties\":{")
        var isFirst = true
        func key(_ name: String) {
            buffer.append(text: (isFirst ? "\"" : ",\"") + name + "\":")
            isFirst = false
        }
        var hasUserProperties = false
        for property in PropertyReader(publish.properties) {
            switch property.value {
            case .byte(let value):
                key(name(of: property.identifier))
                buffer.append(text: "\(value)")
            case .twoByteInteger(let value):
                key(name(of: property.identifier))
                buffer.append(text: "\(value)")
            case .fourByteInteger(let value), .variableByteInteger(let value):
                key(name(of: property.identifier))
                buffer.append(text: "\(value)")
            case .string(let bytes):
                key(name(of: property.identifier))
                appendString(bytes, to: &buffer)
            case .binary(let bytes):
                key(name(of: property.identifier))
                appendString(bytes, to: &buffer)
            case .pair: hasUserProperties = true
            }
        }
        if hasUserProperties {
            key("user-properties")
            appendUserProperties(publish, to: &buffer)
        }
        buffer.append(byte: UInt8(ascii: "}"))
    }

    /// Pairs, since names may repeat and their order counts.
    private static func appendUserProperties(_ publish: PublishView, to buffer: inout ByteBuffer) {
        var separator = UInt8(ascii: "[")
        for property in PropertyReader(publish.properties) {
            guard case .pair(let name, let value) = property.value else { continue }
            buffer.append(byte: separator)
            separator = UInt8(ascii: ",")
            buffer.append(byte: UInt8(ascii: "{"))
            appendString(name, to: &buffer)
            buffer.append(byte: UInt8(ascii: ":"))
            appendString(value, to: &buffer)
            buffer.append(byte: UInt8(ascii: "}"))
        }
        buffer.append(byte: UInt8(ascii: "]"))
    }

    private static func name(of identifier: PropertyIdentifier) -> String {
        switch identifier {
        case .payloadFormatIndicator: "payload-format-indicator"
        case .messageExpiryInterval: "message-expiry-interval"
        case .contentType: "content-type"
        case .responseTopic: "response-topic"
        case .correlationData: "correlation-data"
        case .subscriptionIdentifier: "subscription-identifier"
        case .topicAlias: "topic-alias"
        default: "property-\(identifier.rawValue)"
        }
    }

    // MARK: - Values

    /// A JSON string; what isn't UTF-8 becomes U+FFFD.
    private static func appendString(_ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        buffer.append(byte: UInt8(ascii: "\""))
        if isWellFormedUTF8(bytes) {
            appendEscaped(bytes, to: &buffer)
        } else {
            var repaired = String(decoding: bytes, as: UTF8.self)
            repaired.withUTF8 { appendEscaped(UnsafeRawBufferPointer($0), to: &buffer) }
        }
        buffer.append(byte: UInt8(ascii: "\""))
    }

    private static func appendEscaped(_ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        let digits = Array("0123456789abcdef".utf8)
        var start = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            buffer.append(UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
            start = index + 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): buffer.append([UInt8(ascii: "\\"), byte])
            case 10: buffer.append(text: "\\n")
            case 13: buffer.append(text: "\\r")
            case 9: buffer.append(text: "\\t")
            default: buffer.append(Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            }
        }
        buffer.append(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }

    private static func appendBase64(_ bytes: UnsafeRawBufferPointer, to buffer: inout ByteBuffer) {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var group = 0
            for offset in 0..<3 { group = group << 8 | (offset < count ? Int(bytes[start + offset]) : 0) }
            for place in 0..<4 {
                buffer.append(byte: place <= count ? digits[group >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
    }
}
