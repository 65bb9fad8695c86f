import CLZ4

/// How much time a batch's compression may take.
public enum BatchLevel: Sendable, Equatable {
    /// 600 MB/s on one core: for live data.
    case fast
    /// Level 9, a quarter to a third smaller, 60 to 290 MB/s: for a backlog on a slow link.
    case high
}

/// Makes LZ4 frames: linked blocks, content checksum, content size in the frame's header (so that a receiver allocates
/// once and sees a bomb before it opens). Keeps one context, since a fresh one costs more than a small batch.
final class BatchCompressor {
    private let context: OpaquePointer

    init() {
        var created: OpaquePointer?
        let code = LZ4F_createCompressionContext(&created, UInt32(LZ4F_VERSION))
        guard LZ4F_isError(code) == 0, let created else { fatalError("out of memory for an LZ4 context") }
        context = created
    }

    deinit { _ = LZ4F_freeCompressionContext(context) }

    /// Appends the frame of `content` to `output`.
    func compress(_ content: UnsafeRawBufferPointer, level: BatchLevel, into output: inout RawBytes) {
        var preferences = LZ4F_preferences_t()
        preferences.frameInfo.blockSizeID = content.count > 65536 ? LZ4F_max256KB : LZ4F_max64KB
        preferences.frameInfo.blockMode = LZ4F_blockLinked
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        preferences.frameInfo.contentSize = UInt64(content.count)
        preferences.compressionLevel = level == .high ? 9 : 0
        preferences.autoFlush = 1
        var options = LZ4F_compressOptions_t()
        options.stableSrc = 1

        // 19 bytes at most for the frame's header, 8 for its end.
        let capacity = LZ4F_compressBound(content.count, &preferences) + 32
        let start = output.reserve(capacity)
        var written = Self.checked(LZ4F_compressBegin(context, start, capacity, &preferences))
        if content.count > 0 {
            written += Self.checked(
                LZ4F_compressUpdate(
                    context, start + written, capacity - written, content.baseAddress, content.count, &options))
        }
        written += Self.checked(LZ4F_compressEnd(context, start + written, capacity - written, &options))
        output.commit(written)
    }

    /// The library fails only where it is misused or out of memory.
    private static func checked(_ result: Int) -> Int {
        precondition(LZ4F_isError(result) == 0, "LZ4: \(String(cString: LZ4F_getErrorName(result)))")
        return result
    }
}

/// Opens LZ4 frames from strangers: bounded, and never a crash.
final class BatchDecompressor {
    private let context: OpaquePointer

    init() {
        var created: OpaquePointer?
        let code = LZ4F_createDecompressionContext(&created, UInt32(LZ4F_VERSION))
        guard LZ4F_isError(code) == 0, let created else { fatalError("out of memory for an LZ4 context") }
        context = created
    }

    deinit { _ = LZ4F_freeDecompressionContext(context) }

    /// Appends the content of the frame at the start of `input` to `output` and returns the frame's length. `offset` is
    /// where `input` begins, for errors.
    func decompress(
        _ input: UnsafeRawBufferPointer, limitBytes: Int, offset: Int, into output: inout RawBytes
    ) throws(BatchRefusal) -> Int {
        LZ4F_resetDecompressionContext(context)
        guard let start = input.baseAddress, input.count >= 7, input.loadUnaligned(as: UInt32.self) == 0x184D_2204
        else {
            throw .structure("no LZ4 frame behind the header", offset: offset)
        }
        var info = LZ4F_frameInfo_t()
        var consumed = input.count
        let answer = LZ4F_getFrameInfo(context, &info, start, &consumed)
        guard LZ4F_isError(answer) == 0 else { throw Self.refusal(answer, offset) }
        guard info.contentChecksumFlag == LZ4F_contentChecksumEnabled else {
            throw .structure("LZ4 frame without a content checksum", offset: offset)
        }
        guard info.contentSize <= UInt64(limitBytes) else { throw .bomb(limitBytes: limitBytes) }

        var expected = 1
        while expected != 0 {
            // One byte beyond the limit tells a bomb from a batch that just fits.
            let room = limitBytes - output.count + 1
            guard room > 0 else { throw .bomb(limitBytes: limitBytes) }
            let hint = info.contentSize > 0 ? Int(info.contentSize) - output.count + 1 : 4 * (input.count - consumed)
            var produced = min(room, max(hint, 4096))
            let target = output.reserve(produced)
            var taken = input.count - consumed
            expected = LZ4F_decompress(context, target, &produced, start + consumed, &taken, nil)
            guard LZ4F_isError(expected) == 0 else { throw Self.refusal(expected, offset + consumed) }
            output.commit(produced)
            consumed += taken
            guard output.count <= limitBytes else { throw .bomb(limitBytes: limitBytes) }
            guard expected == 0 || taken > 0 || produced > 0 else {
                throw .structure("LZ4 frame cut short", offset: offset + consumed)
            }
        }
        return consumed
    }

    private static func refusal(_ code: Int, _ offset: Int) -> BatchRefusal {
        let name = String(cString: LZ4F_getErrorName(code))
        return name.hasSuffix("hecksum_invalid") ? .checksum : .structure("LZ4 frame broken (\(name))", offset: offset)
    }
}
