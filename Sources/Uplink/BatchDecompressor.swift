import CLZ4

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
