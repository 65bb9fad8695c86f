import EventLoop
import JSON

/// One value of one point, or why there is none.
package struct Reading {
    package var topic: String
    package var outcome: Outcome
    package var unit: String
    /// Milliseconds since 1970 UTC.
    package var timestamp: Int64

    package enum Outcome: Equatable {
        case good(Value)
        case bad(error: String)
    }

    package init(topic: String, outcome: Outcome, unit: String = "", timestamp: Int64) {
        self.topic = topic
        self.outcome = outcome
        self.unit = unit
        self.timestamp = timestamp
    }
}

/// How a reading stands in a message (FORMATS.md §2).
package enum ReadingFormat: String, CaseIterable, Sendable {
    case json, plain, senml, cloudevents
}

/// Writes readings as messages of one module.
package struct ReadingWriter {
    private let format: ReadingFormat
    private let source: String
    /// Tells the events of one run from those of another.
    private let run: String
    private var number: UInt64 = 0

    package init(_ format: ReadingFormat, node: String, module: String, run: UInt64 = .random(in: 0 ... .max)) {
        self.format = format
        source = "/node/\(node)/\(module)"
        self.run = String(run, radix: 16)
    }

    /// nil: the format has no words for it (a bad reading in `plain` and `senml`).
    package mutating func message(_ reading: Reading) -> [UInt8]? {
        switch format {
        case .json:
            var json = JSONWriter()
            json.object { Self.write(reading, into: &$0) }
            return json.bytes
        case .plain:
            guard case .good(let value) = reading.outcome else { return nil }
            return Array(value.plain.utf8)
        case .senml: return senML(reading)
        case .cloudevents: return cloudEvent(reading)
        }
    }

    private static func write(_ reading: Reading, into json: inout JSONWriter) {
        switch reading.outcome {
        case .good(let value):
            json.member("value", value)
            if !reading.unit.isEmpty { json.member("unit", reading.unit) }
            json.member("timestamp", reading.timestamp)
        case .bad(let error):
            json.member("quality", "bad")
            json.member("error", error)
            json.member("timestamp", reading.timestamp)
        }
    }

    /// RFC 8428: the base name is the topic without its last level.
    private func senML(_ reading: Reading) -> [UInt8]? {
        guard case .good(let value) = reading.outcome else { return nil }
        let end = reading.topic.lastIndex(of: "/").map(reading.topic.index(after:)) ?? reading.topic.startIndex
        var json = JSONWriter()
        json.array { json in
            json.object { json in
                if end != reading.topic.startIndex { json.member("bn", String(reading.topic[..<end])) }
                json.member("n", String(reading.topic[end...]))
                if !reading.unit.isEmpty { json.member("u", reading.unit) }
                switch value {
                case .boolean: json.member("vb", value)
                case .text: json.member("vs", value)
                default: json.member("v", value)
                }
                json.member("t", Value.number(Double(reading.timestamp) / 1000))
            }
        }
        return json.bytes
    }

    /// CloudEvents 1.0, structured.
    private mutating func cloudEvent(_ reading: Reading) -> [UInt8] {
        number += 1
        var json = JSONWriter()
        json.object { json in
            json.member("specversion", "1.0")
            json.member("id", "\(run)-\(number)")
            json.member("type", "roost.value")
            json.member("source", source)
            json.member("subject", reading.topic)
            json.member("time", CivilTime(milliseconds: reading.timestamp).preciseText)
            json.member("datacontenttype", "application/json")
            json.object("data") { Self.write(reading, into: &$0) }
        }
        return json.bytes
    }
}
