/// The one block that all streams of a loop read into. What a delegate doesn't consume is copied out before the next read.
///
/// Its size is also the bound on what one stream may read in a tick. Against 64 KiB read up to four times, an echo server
/// under bulk transfers (bursts of 64 KiB to 1 MiB, 1 to 50 connections) used a quarter less CPU; small bursts don't care,
/// and pages that no burst reaches are never resident.
final class ReadBuffer {
    static let size = 256 * 1024

    let bytes: UnsafeMutableRawBufferPointer

    init() {
        bytes = .allocate(byteCount: ReadBuffer.size, alignment: 16)
    }

    deinit {
        bytes.deallocate()
    }
}
