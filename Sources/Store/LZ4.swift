import CLZ4

/// LZ4 frames as segments and batches hold them: linked blocks, content checksum, content size in the header.
///
/// LZ4 Frame Format 1.6.3, https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md. A program that makes or reads many
/// keeps an `LZ4Compressor` or `LZ4Decompressor`, which own their working memory.
public enum LZ4 {
    public enum Level: Sendable, Equatable {
        /// About 600 MB/s.
        case fast
        /// HC, 3-12: 290 to 60 MB/s, a third smaller. 9 is LZ4's own default.
        case high(Int32)

        var preference: Int32 {
            switch self {
            case .fast: 0
            case .high(let level): max(level, 3)
            }
        }
    }

    public enum Failure: Error, Equatable, Sendable {
        /// Bytes end within the frame.
        case truncated
        /// More bytes follow the frame.
        case trailingBytes(Int)
        /// Decompressed, it would pass the limit.
        case tooLarge(maximum: Int)
        /// Wrong magic, checksum or structure, in LZ4's words.
        case malformed(String)
    }

    /// One frame with all of `bytes`.
    public static func compress(frame bytes: [UInt8], level: Level = .fast) -> [UInt8] {
        LZ4Compressor().compress(bytes.span.bytes, level: level)
    }

    /// The content of one frame that fills `bytes` exactly; never allocates much beyond `maximum` bytes.
    public static func decompress(_ bytes: [UInt8], maximum: Int) throws(Failure) -> [UInt8] {
        try LZ4Decompressor().decompress(bytes.span.bytes, maximum: maximum)
    }

    /// The content of one frame that fills `bytes` exactly; never allocates much beyond `maximum` bytes.
    public static func decompress(_ bytes: ArraySlice<UInt8>, maximum: Int) throws(Failure) -> [UInt8] {
        try LZ4Decompressor().decompress(bytes.span.bytes, maximum: maximum)
    }

    static func failure(_ code: Int) -> Failure {
        .malformed(LZ4F_getErrorName(code).map { String(cString: $0) } ?? "error")
    }
}
