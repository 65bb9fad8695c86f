import Bluetooth
import Bridge
import JSON

/// `roost-bluetooth decode`: what an advertisement means that somebody has written down.
enum DecodeCommand {
    static func run(_ arguments: [String]) -> Int32 {
        guard arguments.isEmpty else {
            BridgeOutput.log(.error, "decode takes no arguments; it reads lines (--help)")
            return 2
        }
        while let line = readLine() {
            let words = line.split(separator: " ")
            if words.isEmpty { continue }
            BridgeOutput.say(answer(words))
        }
        return 0
    }

    private static func answer(_ words: [Substring]) -> String {
        var json = JSONWriter()
        json.object { json in
            json.member("address", String(words[0]))
            guard words.count == 3 || words.count == 4, let address = DeviceAddress(parsing: words[0]),
                let kind = kind(words[1]), let bytes = Hexadecimal.bytes(words[2])
            else { return json.member("error", "not a line as --help has them") }
            var keys: [DeviceAddress: BindKey] = [:]
            if words.count == 4 {
                guard let key = Hexadecimal.bytes(words[3]).flatMap({ BindKey($0) }) else {
                    return json.member("error", "not a key of 32 hexadecimal digits")
                }
                keys[address] = key
            }
            var decoder = AdvertisementDecoder(keys: keys)
            do throws(DecodingFailure) {
                write(try decoder.decode(.init(kind, bytes), from: address), into: &json)
            } catch {
                json.member("error", "\(error)")
            }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }

    private static func kind(_ word: Substring) -> Advertisement.Part.Kind? {
        let parts = word.split(separator: ":")
        guard parts.count == 2 else { return nil }
        switch parts[0] {
        case "service": return AttributeUUID(parsing: parts[1]).map { .service($0) }
        case "manufacturer": return UInt16(parts[1], radix: 16).map { .manufacturer($0) }
        default: return nil
        }
    }

    static func write(_ decoded: Decoded, into json: inout JSONWriter) {
        json.member("format", decoded.format.rawValue)
        if let sequence = decoded.sequence { json.member("sequence", Int(sequence)) }
        json.array("values") { json in
            for measurement in decoded.measurements {
                json.object { json in
                    json.member("name", measurement.name)
                    json.member("value", measurement.value)
                    if !measurement.unit.isEmpty { json.member("unit", measurement.unit) }
                    if measurement.isEvent { json.member("event", true) }
                }
            }
        }
    }
}
