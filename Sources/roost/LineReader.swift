import EventLoop
import Glibc

/// Standard input in lines, read no faster than they are taken. Pipes and terminals are watched by the loop; a file, which
/// epoll refuses, is read when lines are asked for.
final class LineReader: DescriptorHandler {
    private static let chunk = 65_536

    private let loop: EventLoop
    private let onInput: () -> Void
    private var watch = Watch.none
    private var isFile = false
    private var bytes: [UInt8] = []
    private var front = 0
    /// No byte before it is a newline.
    private var searched = 0
    private var isAtEnd = false

    /// - Parameter onInput: called when lines may have come, or the end.
    init(loop: EventLoop, onInput: @escaping () -> Void) {
        self.loop = loop
        self.onInput = onInput
    }

    /// Everything has been taken.
    var isExhausted: Bool { isAtEnd && front == bytes.count }

    /// The next line without its end, handed over in place; false if there is none yet, and then `onInput` tells.
    func take(_ body: (UnsafeRawBufferPointer) -> Void) -> Bool {
        while true {
            if let newline = newline() {
                hand(front..<newline, body)
                front = newline + 1
                searched = front
                return true
            }
            if isAtEnd {
                guard front < bytes.count else { return false }
                hand(front..<bytes.count, body)
                front = bytes.count
                return true
            }
            guard isFile || !startWatching() else { return false }
            read()
        }
    }

    func stop() {
        loop.unwatch(watch)
        watch = .none
    }

    func descriptorIsReady(_ readiness: Readiness) {
        stop()
        read()
        onInput()
    }

    private func newline() -> Int? {
        let found = bytes[searched...].firstIndex(of: 10)
        if found == nil { searched = bytes.count }
        return found
    }

    private func hand(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Void) {
        let end = range.upperBound > range.lowerBound && bytes[range.upperBound - 1] == 13 ? 1 : 0
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range.lowerBound..<range.upperBound - end])) }
    }

    /// False where the loop can't watch: a file.
    private func startWatching() -> Bool {
        guard watch == .none else { return true }
        do throws(SystemError) {
            watch = try loop.watch(descriptor: STDIN_FILENO, .read, handler: self)
        } catch {
            isFile = true
        }
        return !isFile
    }

    private func read() {
        if front > 0 {
            bytes.removeFirst(front)
            searched -= front
            front = 0
        }
        let before = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: Self.chunk))
        let count = bytes.withUnsafeMutableBytes { buffer -> Int in
            Glibc.read(STDIN_FILENO, UnsafeMutableRawBufferPointer(rebasing: buffer[before...]).baseAddress, Self.chunk)
        }
        let failed = count < 0 && errno != EINTR && errno != EAGAIN
        bytes.removeLast(Self.chunk - max(0, count))
        if count == 0 || failed { isAtEnd = true }
    }
}
