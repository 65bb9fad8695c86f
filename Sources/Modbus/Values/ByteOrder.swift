/// In which order a device sends the bytes of a value that fills several registers. A is the highest byte; with 64 bits the
/// same is done to all four registers (`CDAB`: the lowest register first).
package enum ByteOrder: String, Sendable, CaseIterable {
    case abcd = "ABCD"
    case cdab = "CDAB"
    case badc = "BADC"
    case dcba = "DCBA"

    var swapsBytes: Bool { self == .badc || self == .dcba }
    var swapsWords: Bool { self == .cdab || self == .dcba }

    /// Between the order on the wire and the highest byte first; the same in both directions.
    func arranged(_ bytes: some RandomAccessCollection<UInt8>) -> [UInt8] {
        var bytes = Array(bytes)
        let count = bytes.count & ~1
        if swapsBytes { for index in stride(from: 0, to: count, by: 2) { bytes.swapAt(index, index + 1) } }
        guard swapsWords else { return bytes }
        for index in stride(from: 0, to: count / 2, by: 2) {
            bytes.swapAt(index, count - 2 - index)
            bytes.swapAt(index + 1, count - 1 - index)
        }
        return bytes
    }

    /// The arranged bytes as one number, without a copy: the way of most values.
    func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var result: UInt64 = 0
        let registers = bytes.count / 2
        for register in 0..<registers {
            let place = bytes.startIndex + 2 * (swapsWords ? registers - 1 - register : register)
            let first = UInt64(bytes[place])
            let second = UInt64(bytes[place + 1])
            result = result << 16 | (swapsBytes ? second << 8 | first : first << 8 | second)
        }
        return result
    }
}
