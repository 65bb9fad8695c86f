import Bridge
import JSON

/// A message that asks for a value to be written: `{"value": 21.5}`, with an `id` that the result will have too, or 21.5.
struct WriteCommand {
    /// nil: the message holds none.
    let value: WantedValue?
    private let id: JSON?

    init(_ payload: [UInt8], for type: ValueType) {
        let json = JSON(payload)
        if case .object? = json {
            value = json?["value"].flatMap { WantedValue($0) }
            id = json?["id"]
            return
        }
        id = nil
        guard payload.count <= 1024, let text = String(validating: payload, as: UTF8.self) else {
            value = nil
            return
        }
        switch (type, json) {
        case (_, .string(let quoted)?): value = .text(quoted)
        case (.string, _): value = .text(text)
        default:
            let blanks: [Character] = [" ", "\n", "\r", "\t"]
            let trimmed = text.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed()
            value = trimmed.isEmpty ? nil : WantedValue(plain: String(trimmed))
        }
    }

    /// What is published on `.../set/result`.
    func result(_ outcome: WriteOutcome, timestamp: Int64) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            switch outcome {
            case .written: json.member("ok", true)
            case .refused(let why):
                json.member("ok", false)
                json.member("error", why)
            }
            switch value {
            case .boolean(let flag)?: json.member("value", flag)
            case .number(let number)?: json.member("value", number.value)
            case .text(let text)?: json.member("value", text)
            case nil: break
            }
            switch id {
            case .string(let text)?: json.member("id", text)
            case .number(let number)?: json.member("id", DecimalNumber(number.literal)?.value ?? .number(number.double))
            default: break
            }
            json.member("timestamp", timestamp)
        }
        return json.bytes
    }
}
