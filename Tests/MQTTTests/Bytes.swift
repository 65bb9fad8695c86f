import MQTT
import Testing

/// Bytes from hex with spaces and 'text in quotes': "30 08 0003 'a/b' 'hey'".
func bytes(_ text: String) -> [UInt8] {
    var result: [UInt8] = []
    var digits: [UInt8] = []
    var isQuoted = false
    for character in text.utf8 {
        if character == UInt8(ascii: "'") {
            isQuoted.toggle()
        } else if isQuoted {
            result.append(character)
        } else if character != UInt8(ascii: " ") {
            digits.append(character)
            if digits.count == 2 {
                guard let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 16) else {
                    Issue.record("not hex: \(text)")
                    return []
                }
                result.append(byte)
                digits = []
            }
        }
    }
    #expect(digits.isEmpty && !isQuoted, "half a byte in: \(text)")
    return result
}

/// A packet around a body given as `bytes(_:)` takes it.
func packet(_ first: UInt8, _ body: String) -> [UInt8] {
    let body = bytes(body)
    var length = body.count
    var result = [first]
    repeat {
        result.append(UInt8(length % 128) | (length >= 128 ? 0x80 : 0))
        length /= 128
    } while length > 0
    return result + body
}

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
}

/// What any packet decodes to, with all that was in place copied out.
enum Decoded: Equatable, Sendable {
    case connect(Connect)
    case connack(Connack)
    case publish(Message)
    case acknowledgement(Acknowledgement)
    case subscribe(Subscribe)
    case suback(Suback)
    case unsubscribe(Unsubscribe)
    case unsuback(Unsuback)
    case ping(PacketType)
    case disconnect(Disconnect)
    case auth(Auth)
}

struct Message: Equatable, Sendable {
    var qos: QoS
    var isDuplicate: Bool
    var retain: Bool
    var packetIdentifier: UInt16
    var topicAlias: UInt16
    var messageExpiryInterval: UInt32?
    var topic: [UInt8]
    var properties: [UInt8]
    var payload: [UInt8]

    init(_ view: PublishView) {
        qos = view.qos
        isDuplicate = view.isDuplicate
        retain = view.retain
        packetIdentifier = view.packetIdentifier
        topicAlias = view.topicAlias
        messageExpiryInterval = view.messageExpiryInterval
        topic = Array(view.topic)
        properties = Array(view.properties)
        payload = Array(view.payload)
    }
}

func decode(_ raw: RawPacket, _ version: ProtocolVersion) throws(MQTTError) -> Decoded {
    switch raw.type {
    case .connect: .connect(try Connect(raw))
    case .connack: .connack(try Connack(raw, version: version))
    case .publish: .publish(Message(try PublishView(raw, version: version)))
    case .puback, .pubrec, .pubrel, .pubcomp: .acknowledgement(try Acknowledgement(raw, version: version))
    case .subscribe: .subscribe(try Subscribe(raw, version: version))
    case .suback: .suback(try Suback(raw, version: version))
    case .unsubscribe: .unsubscribe(try Unsubscribe(raw, version: version))
    case .unsuback: .unsuback(try Unsuback(raw, version: version))
    case .pingreq, .pingresp: .ping(raw.type)
    case .disconnect: .disconnect(try Disconnect(raw, version: version))
    case .auth: .auth(try Auth(raw, version: version))
    }
}

/// The first packet of `bytes`; `nil` while it is incomplete.
func decode(_ bytes: [UInt8], _ version: ProtocolVersion) throws(MQTTError) -> Decoded? {
    let result = bytes.withUnsafeBytes { buffer -> Result<Decoded?, MQTTError> in
        do throws(MQTTError) {
            guard let raw = try readFrame(buffer, maximum: .max) else { return .success(nil) }
            return .success(try decode(raw, version))
        } catch {
            return .failure(error)
        }
    }
    return try result.get()
}

/// The Reason Code that `bytes` are refused with; `nil` if they aren't.
func refusal(_ bytes: [UInt8], _ version: ProtocolVersion) -> MQTTError? {
    do throws(MQTTError) {
        let decoded = try decode(bytes, version)
        #expect(decoded != nil, "incomplete: \(hex(bytes))")
        return nil
    } catch {
        return error
    }
}

/// One row of a table of packets that must be refused.
struct Refused: Sendable, CustomTestStringConvertible {
    var bytes: [UInt8]
    var reason: ReasonCode
    var why: String
    var versions: [ProtocolVersion]

    init(_ bytes: [UInt8], _ reason: ReasonCode, _ why: String, _ versions: [ProtocolVersion] = [.v5]) {
        self.bytes = bytes
        self.reason = reason
        self.why = why
        self.versions = versions
    }

    var testDescription: String { why }

    func check() {
        for version in versions {
            let error = refusal(bytes, version)
            #expect(
                error?.reason == reason, "\(why), \(version): \(hex(bytes)) gave \(error?.description ?? "no error")")
        }
    }
}
