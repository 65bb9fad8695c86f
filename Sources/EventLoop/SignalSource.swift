import CLinux
import Glibc

/// Signals as events on a loop (signalfd). The signals are blocked in the calling thread and in those it starts later, so
/// a source is made before any other thread, and no handler ever interrupts anything.
public final class SignalSource: DescriptorHandler {
    private let loop: EventLoop
    private let handler: (Int32) -> Void
    private let descriptor: Descriptor
    private var watch = Watch.none
    private var before = sigset_t()

    /// - Parameter handler: called on the loop with the signal's number; the loop keeps it until `close()`.
    public init(loop: EventLoop, signals: [Int32], _ handler: @escaping (Int32) -> Void) throws(SystemError) {
        self.loop = loop
        self.handler = handler
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        let number = signalfd(-1, &set, Int32(O_NONBLOCK | O_CLOEXEC))
        guard number >= 0 else { throw SystemError.last("signalfd") }
        descriptor = Descriptor(number)
        watch = try loop.watch(descriptor: number, .read, handler: self)
        pthread_sigmask(SIG_BLOCK, &set, &before)
    }

    public func descriptorIsReady(_ readiness: Readiness) {
        var information = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        while watch != .none && read(descriptor.number, &information, size) == size {
            handler(Int32(information.ssi_signo))
        }
    }

    /// Ends the source; the calling thread's signals are as they were before it.
    public func close() {
        guard watch != .none else { return }
        loop.unwatch(watch)
        watch = .none
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }
}
