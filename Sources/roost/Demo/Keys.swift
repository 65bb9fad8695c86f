import EventLoop
import Glibc

/// Keys as they are pressed, on a terminal that `Screen` has opened.
final class Keys: DescriptorHandler {
    private let loop: EventLoop
    private let handler: (UInt8) -> Void
    private var watch = Watch.none

    /// Without a terminal nobody presses anything.
    init(loop: EventLoop, _ handler: @escaping (UInt8) -> Void) {
        self.loop = loop
        self.handler = handler
        guard isatty(STDIN_FILENO) == 1 else { return }
        watch = (try? loop.watch(descriptor: STDIN_FILENO, .read, handler: self)) ?? .none
    }

    func close() {
        loop.unwatch(watch)
        watch = .none
    }

    func descriptorIsReady(_ readiness: Readiness) {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(STDIN_FILENO, &bytes, bytes.count)
        guard count > 0 else { return close() }
        for byte in bytes[..<count] { handler(byte) }
    }
}
