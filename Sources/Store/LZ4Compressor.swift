import CLZ4

/// Makes LZ4 frames; keeps its tables from one to the next. Used by one thread at a time.
public final class LZ4Compressor {
    private var context: OpaquePointer?
    private var scratch: UnsafeMutableRawBufferPointer = .init(start: nil, count: 0)

    public init() {
        let code = LZ4F_createCompressionContext(&context, UInt32(LZ4F_VERSION))
        precondition(LZ4F_isError(code) == 0, "out of memory")
    }

    deinit {
        LZ4F_freeCompressionContext(context)
        scratch.deallocate()
    }

    /// One frame with all of `bytes`.
    public func compress(_ bytes: RawSpan, level: LZ4.Level = .fast) -> [UInt8] {
        withFrame(of: bytes, level: level) { Array($0) }
    }

    /// One frame with all of `bytes`, in memory that the next call uses again.
    func withFrame<Result, Failure: Error>(
        of bytes: RawSpan, level: LZ4.Level, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var preferences = LZ4F_preferences_t()
        preferences.compressionLevel = level.preference
        preferences.autoFlush = 1
        // For linked blocks it allocates and clears 64 KiB each time, which a single block has no use for.
        let isOneBlock = bytes.byteCount <= Self.blockBytes
        preferences.frameInfo.blockMode = isOneBlock ? LZ4F_blockIndependent : LZ4F_blockLinked
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        // 0 would say "unknown", which for an empty frame is as good.
        preferences.frameInfo.contentSize = UInt64(bytes.byteCount)
        let bound = LZ4F_compressFrameBound(bytes.byteCount, &preferences)
        if scratch.count < bound {
            scratch.deallocate()
            scratch = .allocate(byteCount: max(bound, 4096), alignment: 16)
        }
        var count = LZ4F_compressBegin(context, scratch.baseAddress, scratch.count, &preferences)
        precondition(LZ4F_isError(count) == 0, "LZ4F_compressBegin")
        var options = LZ4F_compressOptions_t()
        options.stableSrc = 1
        count += bytes.withUnsafeBytes { source in
            guard let address = source.baseAddress, source.count > 0 else { return 0 }
            let written = LZ4F_compressUpdate(
                context, scratch.baseAddress.map { $0 + count }, scratch.count - count, address, source.count, &options)
            precondition(LZ4F_isError(written) == 0, "LZ4F_compressUpdate")
            return written
        }
        let end = LZ4F_compressEnd(
            context, scratch.baseAddress.map { $0 + count }, scratch.count - count, &options)
        precondition(LZ4F_isError(end) == 0, "LZ4F_compressEnd")
        if isOneBlock { Self.sayLinked(UnsafeMutableRawBufferPointer(rebasing: scratch[..<count])) }
        return try body(UnsafeRawBufferPointer(rebasing: scratch[..<(count + end)]))
    }

    /// Of LZ4F_max64KB, its default.
    private static let blockBytes = 64 << 10

    /// Says in a frame's header that its blocks are linked, as all of ours do. A single one is the same either way.
    private static func sayLinked(_ frame: UnsafeMutableRawBufferPointer) {
        let flags = 4
        frame[flags] &= ~0x20
        let hasContentSize = frame[flags] & 0x08 != 0
        let checksum = flags + (hasContentSize ? 10 : 2)
        frame[checksum] = headerChecksum(UnsafeRawBufferPointer(rebasing: frame[flags..<checksum]))
    }

    /// The second byte of XXH32, for less than 16 bytes
    /// (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).
    private static func headerChecksum(_ bytes: UnsafeRawBufferPointer) -> UInt8 {
        var sum = 0x1656_67B1 &+ UInt32(bytes.count)
        var place = 0
        while place + 4 <= bytes.count {
            sum &+= UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)) &* 0xC2B2_AE3D
            sum = (sum << 17 | sum >> 15) &* 0x27D4_EB2F
            place += 4
        }
        for byte in bytes[place...] {
            sum &+= UInt32(byte) &* 0x1656_67B1
            sum = (sum << 11 | sum >> 21) &* 0x9E37_79B1
        }
        sum = (sum ^ sum >> 15) &* 0x85EB_CA77
        sum = (sum ^ sum >> 13) &* 0xC2B2_AE3D
        return UInt8(truncatingIfNeeded: (sum ^ sum >> 16) >> 8)
    }
}
