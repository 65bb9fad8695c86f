import Bridge
import JSON

/// A message on `.../set`: a value by itself, or `{"value": 21.5}`, with an `id` that the result will have too.
struct WriteCommand {
    /// nil: the message has none.
    let value: Value?
    private let id: Value?

    init(_ payload: [UInt8]) {
        guard let text = String(validating: payload, as: UTF8.self), !text.isEmpty else {
            value = nil
            id = nil
            return
        }
        let json = JSON(payload)
        if case .object? = json {
            value = json?["value"].flatMap(Self.scalar)
            id = json?["id"].flatMap(Self.scalar)
        } else {
            value = json.map(Self.scalar) ?? .text(text)
            id = nil
        }
    }

    /// What is published on `.../set/result`.
    ///
    /// - Parameter error: nil: the device has acknowledged the value.
    func result(_ error: String?, _ timestamp: Int64) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("ok", error == nil)
            if let error { json.member("error", error) }
            if let value { json.member("value", value) }
            if let id { json.member("id", id) }
            json.member("timestamp", timestamp)
        }
        return json.bytes
    }

    private static func scalar(_ json: JSON) -> Value? {
        switch json {
        case .boolean(let flag): return .boolean(flag)
        case .string(let text): return .text(text)
        case .number(let number):
            if let whole = Int64(number.literal) { return .integer(whole) }
            if let whole = UInt64(number.literal) { return .unsigned(whole) }
            return .number(number.double)
        case .null, .array, .object: return nil
        }
    }
}
