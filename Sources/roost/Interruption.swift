import Glibc

/// Ctrl-C and SIGTERM for commands that wait without an event loop: blocked, and looked for while waiting.
struct Interruption {
    private var signals = sigset_t()

    init() {
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        sigprocmask(SIG_BLOCK, &signals, nil)
    }

    /// Waits; true as soon as somebody wants the command to end.
    func waits(seconds: Double) -> Bool {
        var set = signals
        let whole = Int(seconds)
        var time = timespec(tv_sec: whole, tv_nsec: Int((seconds - Double(whole)) * 1e9))
        return sigtimedwait(&set, nil, &time) > 0
    }
}
