/// The one block that all streams of a loop read into. What a delegate doesn't consume is copied out before the next read.
final class ReadBuffer {
    static let size = 64 * 1024

    let bytes: UnsafeMutableRawBufferPointer

    init() {
        bytes = .allocate(byteCount: ReadBuffer.size, alignment: 16)
    }

    deinit {
        bytes.deallocate()
    }
}
