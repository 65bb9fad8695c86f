import CLZ4

/// Reads LZ4 frames; keeps its buffers from one to the next. Used by one thread at a time.
public final class LZ4Decompressor {
    private var context: OpaquePointer?

    public init() {
        let code = LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
        precondition(LZ4F_isError(code) == 0, "out of memory")
    }

    deinit { LZ4F_freeDecompressionContext(context) }

    /// The content of the one frame that fills `bytes` exactly.
    ///
    /// A frame that says its size is refused at once where that passes `maximum`; one that doesn't, when its content does.
    public func decompress(_ bytes: RawSpan, maximum: Int) throws(LZ4.Failure) -> [UInt8] {
        try bytes.withUnsafeBytes { (source) throws(LZ4.Failure) in
            try decompress(source, maximum: maximum)
        }
    }

    func decompress(_ source: UnsafeRawBufferPointer, maximum: Int) throws(LZ4.Failure) -> [UInt8] {
        LZ4F_resetDecompressionContext(context)
        try checkMagic(source)
        var information = LZ4F_frameInfo_t()
        var offset = source.count
        let hint = LZ4F_getFrameInfo(context, &information, source.baseAddress, &offset)
        guard LZ4F_isError(hint) == 0 else {
            throw source.count < 19 ? .truncated : LZ4.failure(hint)
        }
        let declared = information.contentSize
        guard declared <= UInt64(max(maximum, 0)) else { throw .tooLarge(maximum: maximum) }
        let rest = UnsafeRawBufferPointer(rebasing: source[offset...])
        return declared > 0
            ? try decompress(rest, exactly: Int(declared)) : try decompress(rest, growingTo: max(maximum, 0))
    }

    private func checkMagic(_ source: UnsafeRawBufferPointer) throws(LZ4.Failure) {
        guard source.count >= 4 else { throw .truncated }
        guard UInt32(littleEndian: source.loadUnaligned(as: UInt32.self)) == LZ4.frameMagic else {
            throw .malformed("not an LZ4 frame")
        }
    }

    /// Straight into the array that is returned.
    private func decompress(_ source: UnsafeRawBufferPointer, exactly size: Int) throws(LZ4.Failure) -> [UInt8] {
        var failure: LZ4.Failure?
        let content = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            var options = LZ4F_decompressOptions_t()
            options.stableDst = 1
            var taken = 0
            while true {
                var sourceSize = source.count - taken
                var room = size - count
                let hint = LZ4F_decompress(
                    context, buffer.baseAddress.map { $0 + count }, &room,
                    source.baseAddress.map { $0 + taken }, &sourceSize, &options)
                if LZ4F_isError(hint) != 0 {
                    failure = LZ4.failure(hint)
                    return
                }
                taken += sourceSize
                count += room
                if hint == 0 { break }
                if taken == source.count || (sourceSize == 0 && room == 0) {
                    failure = taken == source.count ? .truncated : .malformed("more content than the header says")
                    return
                }
            }
            if taken < source.count { failure = .trailingBytes(source.count - taken) }
        }
        if let failure { throw failure }
        return content
    }

    /// For frames without a content size: in steps, so that a bomb costs no more memory than the limit.
    private func decompress(
        _ source: UnsafeRawBufferPointer, growingTo maximum: Int
    ) throws(LZ4.Failure) -> [UInt8] {
        var content: [UInt8] = []
        var taken = 0
        let step = 64 << 10
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: step, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            var sourceSize = source.count - taken
            var room = step
            let hint = LZ4F_decompress(
                context, buffer.baseAddress, &room, source.baseAddress.map { $0 + taken }, &sourceSize, nil)
            guard LZ4F_isError(hint) == 0 else { throw LZ4.failure(hint) }
            taken += sourceSize
            guard content.count + room <= maximum else { throw .tooLarge(maximum: maximum) }
            content.append(contentsOf: buffer[..<room])
            if hint == 0 { break }
            if sourceSize == 0 && room == 0 { throw .truncated }
        }
        guard taken == source.count else { throw .trailingBytes(source.count - taken) }
        return content
    }
}
