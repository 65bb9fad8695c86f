import Configuration
import JSON

/// A module's own table as one JSON document. Dates and times, which JSON has no words for, are texts; numbers that are not
/// finite are null.
func jsonDocument(_ table: TOMLTable) -> [UInt8] {
    var json = JSONWriter()
    json.object { write(table, to: &$0) }
    return json.bytes
}

private func write(_ table: TOMLTable, to json: inout JSONWriter) {
    for entry in table.entries {
        switch entry.node.value {
        case .table(let inner): json.object(entry.key) { write(inner, to: &$0) }
        case .array(let items): json.array(entry.key) { write(items, to: &$0) }
        case .integer(let value): json.member(entry.key, value)
        case .float(let value): json.member(entry.key, value)
        case .boolean(let value): json.member(entry.key, value)
        case .string(let text), .offsetDateTime(let text), .localDateTime(let text), .localDate(let text),
            .localTime(let text):
            json.member(entry.key, text)
        }
    }
}

private func write(_ items: [TOMLNode], to json: inout JSONWriter) {
    for item in items {
        switch item.value {
        case .table(let inner): json.object { write(inner, to: &$0) }
        case .array(let items): json.array { write(items, to: &$0) }
        case .integer(let value): json.value(value)
        case .float(let value): json.value(value)
        case .boolean(let value): json.value(value)
        case .string(let text), .offsetDateTime(let text), .localDateTime(let text), .localDate(let text),
            .localTime(let text):
            json.value(text)
        }
    }
}
