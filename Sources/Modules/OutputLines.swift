import CLinux
import EventLoop
import Glibc

/// Lines that a child writes into a pipe. Of a line that is too long only the beginning is kept. A child that writes more than
/// anybody wants to read is slowed, and never stopped: it has other things to do.
final class OutputLines: DescriptorHandler {
    /// Bytes of a line.
    static let longest = 2048
    private static let chunk = 16 << 10
    /// A slowed child's chunks come in this distance: 1.6 MB a second.
    private static let rest = Duration.milliseconds(10)

    private let loop: EventLoop
    private var descriptor: Int32
    private var watch = Watch.none
    private var timer = Timer.none
    private var line: [UInt8] = []
    private var isTooLong = false
    private let take: ([UInt8]) -> Void
    /// Asked after each chunk.
    var isSlowed: () -> Bool = { false }

    /// - Parameter descriptor: the reading end, which doesn't block.
    init(loop: EventLoop, descriptor: consuming Descriptor, take: @escaping ([UInt8]) -> Void) throws(SystemError) {
        self.loop = loop
        self.descriptor = descriptor.release()
        self.take = take
        do throws(SystemError) {
            watch = try loop.watch(descriptor: self.descriptor, .read, handler: self)
        } catch {
            Glibc.close(self.descriptor)
            self.descriptor = -1
            throw error
        }
    }

    func descriptorIsReady(_ readiness: Readiness) {
        guard readChunk() else { return close() }
        guard isSlowed(), descriptor >= 0 else { return }
        loop.unwatch(watch)
        watch = .none
        timer = loop.schedule(after: Self.rest) { [weak self] in self?.watchAgain() }
    }

    private func watchAgain() {
        guard descriptor >= 0, watch == .none else { return }
        do throws(SystemError) {
            watch = try loop.watch(descriptor: descriptor, .read, handler: self)
        } catch {
            close()
        }
    }

    /// Takes what is there, once its writer has ended, and closes.
    func finish() {
        for _ in 0..<16 where descriptor >= 0 && readChunk() {}
        close()
    }

    /// False: nothing more will ever come.
    private func readChunk() -> Bool {
        withUnsafeTemporaryAllocation(byteCount: Self.chunk, alignment: 1) { buffer in
            while true {
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                if count > 0 {
                    split(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    return true
                }
                if count < 0, errno == EINTR { continue }
                return count < 0 && errno == EAGAIN
            }
        }
    }

    private func split(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            append(rest[..<end])
            endLine()
            rest = rest[(end + 1)...]
        }
        append(rest)
    }

    private func append(_ bytes: Slice<UnsafeRawBufferPointer>) {
        let room = Self.longest - line.count
        line.append(contentsOf: bytes.prefix(room))
        if bytes.count > room { isTooLong = true }
    }

    private func endLine() {
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        if isTooLong { line += Array(" (and more)".utf8) }
        let whole = line
        line.removeAll(keepingCapacity: true)
        isTooLong = false
        if !whole.isEmpty { take(whole) }
    }

    func close() {
        guard descriptor >= 0 else { return }
        loop.unwatch(watch)
        watch = .none
        loop.cancel(timer)
        Glibc.close(descriptor)
        descriptor = -1
        if !line.isEmpty { endLine() }
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }
}
