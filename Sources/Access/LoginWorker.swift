import EventLoop
import Glibc
import Synchronization

/// Checks logins one after the other on a thread of its own, which is there only while there is something to check. What
/// waits is bounded.
final class LoginWorker: Sendable {
    struct Job: Sendable {
        var number: UInt64
        var check: LoginCheck
    }

    private struct State {
        var jobs: [Job] = []
        var isRunning = false
    }

    private let state = Mutex(State())
    private let start: @Sendable (@escaping @Sendable () -> Void) -> Bool
    private let answer: @Sendable (UInt64, LoginCheck.Verdict) -> Void

    /// - Parameters:
    ///   - start: runs its argument on another thread; false: it can't.
    ///   - answer: called on that thread.
    init(
        start: @escaping @Sendable (@escaping @Sendable () -> Void) -> Bool = background,
        answer: @escaping @Sendable (UInt64, LoginCheck.Verdict) -> Void
    ) {
        self.start = start
        self.answer = answer
    }

    /// A thread that gives way to the loop's, where both want the same core.
    static let background: @Sendable (@escaping @Sendable () -> Void) -> Bool = { body in
        startThread {
            // Of this thread alone, as Linux has it.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
            body()
        }
    }

    private static let niceness: Int32 = 5

    /// False: there is no thread to be had.
    func submit(_ job: Job) -> Bool {
        let isFirst = state.withLock { state in
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard isFirst, !start({ [self] in work() }) else { return true }
        state.withLock { $0 = State() }
        return false
    }

    private func work() {
        while let jobs = take() {
            for job in jobs { answer(job.number, job.check.run()) }
        }
    }

    /// nil: nothing is left, and the next job starts another thread.
    private func take() -> [Job]? {
        state.withLock { state in
            defer { state.jobs = [] }
            state.isRunning = !state.jobs.isEmpty
            return state.jobs.isEmpty ? nil : state.jobs
        }
    }
}
