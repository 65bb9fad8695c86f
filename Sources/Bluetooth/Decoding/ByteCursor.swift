/// Reads numbers one after the other; nil once there are too few bytes.
struct ByteCursor {
    private let bytes: ArraySlice<UInt8>
    private(set) var place: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        place = bytes.startIndex
    }

    init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    var remaining: Int { bytes.endIndex - place }
    var rest: ArraySlice<UInt8> { bytes[place...] }

    mutating func byte() -> UInt8? {
        guard remaining > 0 else { return nil }
        defer { place += 1 }
        return bytes[place]
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, remaining >= count else { return nil }
        defer { place += count }
        return bytes[place..<place + count]
    }

    mutating func unsigned(_ count: Int, littleEndian: Bool) -> Int? {
        guard count < 8, let taken = take(count) else { return nil }
        return Self.unsigned(taken, littleEndian: littleEndian)
    }

    mutating func signed(_ count: Int, littleEndian: Bool) -> Int? {
        unsigned(count, littleEndian: littleEndian).map { Self.signed($0, bytes: count) }
    }

    /// Of at most seven bytes.
    static func unsigned(_ bytes: ArraySlice<UInt8>, littleEndian: Bool = true) -> Int {
        var value = 0
        if littleEndian {
            for byte in bytes.reversed() { value = value << 8 | Int(byte) }
        } else {
            for byte in bytes { value = value << 8 | Int(byte) }
        }
        return value
    }

    /// Two's complement in `bytes` bytes.
    static func signed(_ unsigned: Int, bytes: Int) -> Int {
        let sign = 1 << (8 * bytes - 1)
        return unsigned & sign == 0 ? unsigned : unsigned - sign - sign
    }
}
