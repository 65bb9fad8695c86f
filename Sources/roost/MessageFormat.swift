import ArgumentParser
import EventLoop
import MQTT

/// How `roost sub` prints a message; `-F` takes the codes of mosquitto_sub's.
enum MessageFormat {
    case payload(newline: Bool)
    case verbose(newline: Bool)
    case json
    case custom([Piece])

    enum Piece {
        case literal([UInt8])
        case topic, payload, payloadLength, qos, retain, identifier
        case payloadHex(uppercase: Bool)
        case mosquittoJSON(payloadIsJSON: Bool)
        case isoTime, unixTime, nanoseconds
        case time(String)
        case topicAlias, userProperties
        case property(PropertyIdentifier)
    }

    init(_ format: String, newline: Bool) throws {
        var parser = FormatParser(format)
        var pieces = try parser.pieces()
        if newline { pieces.append(.literal([10])) }
        self = .custom(pieces)
    }

    func append(_ publish: PublishView, to buffer: inout ByteBuffer) {
        switch self {
        case .payload(let newline):
            buffer.append(publish.payload)
            if newline { buffer.append(byte: 10) }
        case .verbose(let newline):
            buffer.append(publish.topic)
            buffer.append(byte: 32)
            buffer.append(publish.payload)
            if newline { buffer.append(byte: 10) }
        case .json:
            MessageJSON.append(publish, to: &buffer)
        case .custom(let pieces):
            let now = LocalTime.now
            for piece in pieces { piece.append(publish, now, to: &buffer) }
        }
    }
}

extension MessageFormat.Piece {
    func append(_ publish: PublishView, _ now: (seconds: Int, nanoseconds: Int), to buffer: inout ByteBuffer) {
        switch self {
        case .literal(let bytes): buffer.append(bytes)
        case .topic: buffer.append(publish.topic)
        case .payload: buffer.append(publish.payload)
        case .payloadHex(let uppercase): appendHex(publish.payload, uppercase, to: &buffer)
        case .payloadLength: buffer.append(text: "\(publish.payload.count)")
        case .qos: buffer.append(text: "\(publish.qos.rawValue)")
        case .retain: buffer.append(text: publish.retain ? "1" : "0")
        case .identifier: buffer.append(text: "\(publish.packetIdentifier)")
        case .mosquittoJSON(let payloadIsJSON):
            MessageJSON.appendAsMosquitto(publish, now, payloadIsJSON: payloadIsJSON, to: &buffer)
        case .isoTime: buffer.append(text: LocalTime.format("%Y-%m-%dT%H:%M:%S%z", seconds: now.seconds))
        case .unixTime: buffer.append(text: "\(now.seconds).\(nineDigits(now.nanoseconds))")
        case .time(let format): buffer.append(text: LocalTime.format(format, seconds: now.seconds))
        case .nanoseconds: buffer.append(text: nineDigits(now.nanoseconds))
        case .topicAlias:
            if publish.topicAlias != 0 { buffer.append(text: "\(publish.topicAlias)") }
        case .userProperties: appendUserProperties(publish, to: &buffer)
        case .property(let identifier): appendProperty(identifier, publish, to: &buffer)
        }
    }

    private func nineDigits(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 9 - digits.count)) + digits
    }

    private func appendHex(_ bytes: UnsafeRawBufferPointer, _ uppercase: Bool, to buffer: inout ByteBuffer) {
        let digits = Array((uppercase ? "0123456789ABCDEF" : "0123456789abcdef").utf8)
        for byte in bytes {
            buffer.append(byte: digits[Int(byte >> 4)])
            buffer.append(byte: digits[Int(byte & 15)])
        }
    }

    private func appendUserProperties(_ publish: PublishView, to buffer: inout ByteBuffer) {
        var isFirst = true
        for property in PropertyReader(publish.properties) {
            guard case .pair(let name, let value) = property.value else { continue }
            if !isFirst { buffer.append(byte: 32) }
            isFirst = false
            buffer.append(name)
            buffer.append(byte: UInt8(ascii: ":"))
            buffer.append(value)
        }
    }

    private func appendProperty(_ wanted: PropertyIdentifier, _ publish: PublishView, to buffer: inout ByteBuffer) {
        for property in PropertyReader(publish.properties) where property.identifier == wanted {
            switch property.value {
            case .byte(let value): buffer.append(text: "\(value)")
            case .twoByteInteger(let value): buffer.append(text: "\(value)")
            case .fourByteInteger(let value), .variableByteInteger(let value): buffer.append(text: "\(value)")
            case .string(let bytes), .binary(let bytes): buffer.append(bytes)
            case .pair: break
            }
        }
    }
}

/// Takes an `-F` format apart.
private struct FormatParser {
    private var rest: [UInt8].SubSequence
    private var literal: [UInt8] = []
    private var found: [MessageFormat.Piece] = []

    init(_ format: String) { rest = Array(format.utf8)[...] }

    mutating func pieces() throws -> [MessageFormat.Piece] {
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"): try percent()
            case UInt8(ascii: "@"): try time()
            case UInt8(ascii: "\\"): try escape()
            default: literal.append(byte)
            }
        }
        endLiteral()
        return found
    }

    private mutating func endLiteral() {
        if !literal.isEmpty { found.append(.literal(literal)) }
        literal = []
    }

    private mutating func add(_ piece: MessageFormat.Piece) {
        endLiteral()
        found.append(piece)
    }

    private mutating func percent() throws {
        guard let code = rest.popFirst() else { throw ValidationError("-F: a % at the end (%% prints one)") }
        switch Character(UnicodeScalar(code)) {
        case "%": literal.append(code)
        case "t": add(.topic)
        case "p": add(.payload)
        case "x": add(.payloadHex(uppercase: false))
        case "X": add(.payloadHex(uppercase: true))
        case "l": add(.payloadLength)
        case "q": add(.qos)
        case "r": add(.retain)
        case "m": add(.identifier)
        case "j": add(.mosquittoJSON(payloadIsJSON: false))
        case "J": add(.mosquittoJSON(payloadIsJSON: true))
        case "I": add(.isoTime)
        case "U": add(.unixTime)
        case "A": add(.topicAlias)
        case "P": add(.userProperties)
        case "C": add(.property(.contentType))
        case "D": add(.property(.correlationData))
        case "E": add(.property(.messageExpiryInterval))
        case "F": add(.property(.payloadFormatIndicator))
        case "R": add(.property(.responseTopic))
        case "S": add(.property(.subscriptionIdentifier))
        case let other: throw ValidationError("-F: %\(other) is not known; see --help")
        }
    }

    private mutating func time() throws {
        guard let code = rest.popFirst() else { throw ValidationError("-F: an @ at the end (@@ prints one)") }
        switch Character(UnicodeScalar(code)) {
        case "@": literal.append(code)
        case "N": add(.nanoseconds)
        case let other: add(.time("%\(other)"))
        }
    }

    private mutating func escape() throws {
        guard let code = rest.popFirst() else { throw ValidationError("-F: a \\ at the end (\\\\ prints one)") }
        switch Character(UnicodeScalar(code)) {
        case "0": literal.append(0)
        case "a": literal.append(7)
        case "e": literal.append(27)
        case "n": literal.append(10)
        case "r": literal.append(13)
        case "t": literal.append(9)
        case "v": literal.append(11)
        case "\\": literal.append(code)
        case let other: throw ValidationError("-F: \\\(other) is not known; see --help")
        }
    }
}

extension ByteBuffer {
    mutating func append(text: String) { append(Array(text.utf8)) }
}
