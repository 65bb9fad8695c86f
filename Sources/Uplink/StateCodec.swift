import Store

/// Small binary state: variable-length numbers and strings, front to back.
struct StateWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ value: UInt64) { Varint.append(value, to: &bytes) }

    mutating func append(signed value: Int64) { append(Varint.zigzag(value)) }

    mutating func append(_ text: String) {
        append(UInt64(text.utf8.count))
        bytes += Array(text.utf8)
    }

    mutating func append(_ time: WallTime) {
        append(signed: time.milliseconds)
        append(time.isSet ? 1 : 0)
    }
}

/// Reads what `StateWriter` wrote; nil where the bytes end or make no sense.
struct StateReader {
    private var reader: Varint.Reader

    init(_ bytes: [UInt8]) { reader = Varint.Reader(bytes) }

    var isAtEnd: Bool { reader.isAtEnd }

    mutating func number() -> UInt64? { reader.next() }

    mutating func signed() -> Int64? { number().map(Varint.unzigzag) }

    mutating func text() -> String? {
        guard let length = number(), let bytes = reader.take(length) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    mutating func time() -> WallTime? {
        guard let milliseconds = signed(), let set = number() else { return nil }
        return WallTime(milliseconds: milliseconds, isSet: set == 1)
    }
}
