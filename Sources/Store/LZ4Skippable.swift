/// Skippable frames, in which a batch carries its header: magic, u32 length, content (docs/formats.md).
extension LZ4 {
    static let frameMagic: UInt32 = 0x184D_2204
    static let skippableMagic: UInt32 = 0x184D_2A50

    /// `content` as one skippable frame.
    public static func skippable(_ content: [UInt8]) -> [UInt8] {
        var frame: [UInt8] = []
        frame.reserveCapacity(8 + content.count)
        for word in [skippableMagic, UInt32(content.count)] {
            for shift in stride(from: 0, to: 32, by: 8) { frame.append(UInt8(truncatingIfNeeded: word >> shift)) }
        }
        frame += content
        return frame
    }

    /// Takes the skippable frame at the start of `bytes` apart: its content, and what follows it.
    public static func splitSkippable(
        _ bytes: ArraySlice<UInt8>
    ) throws(Failure) -> (content: ArraySlice<UInt8>, rest: ArraySlice<UInt8>) {
        guard bytes.count >= 8 else { throw .truncated }
        guard word(bytes, at: bytes.startIndex) == skippableMagic else { throw .malformed("not a skippable frame") }
        let length = Int(word(bytes, at: bytes.startIndex + 4))
        guard length <= bytes.count - 8 else { throw .truncated }
        let start = bytes.startIndex + 8
        return (bytes[start..<(start + length)], bytes[(start + length)...])
    }

    private static func word(_ bytes: ArraySlice<UInt8>, at index: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(bytes[index + $1]) << UInt32(8 * $1) }
    }
}
