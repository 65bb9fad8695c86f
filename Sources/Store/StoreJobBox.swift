import EventLoop
import Glibc

/// `StoreJobs` between the loops that submit and the thread that takes.
final class StoreJobBox: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private let rest: LoopRest
    private var jobs = StoreJobs()
    // What the thread does, for whoever submits.
    private var isWaiting = false
    private var isGathering = false
    private var enough = 0

    /// - Parameter rest: of the loop that submits.
    init(rest: LoopRest) {
        self.rest = rest
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        condition.deallocate()
    }

    /// Wakes the thread only for what it would do at once: while commits gather, not for one that doesn't complete them.
    func submit(_ job: StoreJob) {
        pthread_mutex_lock(mutex)
        jobs.submit(job)
        var isWoken = isWaiting
        if isGathering, case .commit = job { isWoken = jobs.waitingMessages >= enough }
        pthread_mutex_unlock(mutex)
        if isWoken { pthread_cond_signal(condition) }
    }

    var waitingMessages: Int { locked { jobs.waitingMessages } }

    /// Waits for work. Commits wait for company (`Gathering`); reads don't. With something to sweep it doesn't wait.
    func next(_ gathering: inout Gathering, sweeps: Bool) -> StoreJobs.Work {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        enough = gathering.enough
        while true {
            if let work = jobs.next(readsOnly: true) { return work }
            if jobs.hasCommits {
                if !jobs.isClosing { gather(gathering.longest, rest: gathering.rest) }
                gathering.begin()
            }
            if let work = jobs.next(sweeps: sweeps) { return work }
            isWaiting = true
            pthread_cond_wait(condition, mutex)
            isWaiting = false
        }
    }

    /// Waits until enough messages are there, the loop has rested for `pause`, something else is to be done, or `longest` is
    /// over.
    private func gather(_ longest: Int64, rest pause: Int64) {
        guard jobs.waitingMessages < enough, longest > 0 else { return }
        isGathering = true
        isWaiting = true
        defer {
            isGathering = false
            isWaiting = false
        }
        var now = Gathering.now()
        let end = now + longest
        while jobs.waitingMessages < enough, now < end {
            let messages = jobs.waitingMessages
            var deadline = Gathering.time(min(now + pause, end))
            _ = pthread_cond_timedwait(condition, mutex, &deadline)
            if jobs.hasReads || jobs.isClosing || (jobs.waitingMessages == messages && rest.isResting) { return }
            now = Gathering.now()
        }
    }

    enum Retry {
        case read(StoreJobs.Work)
        /// The time has come; these commits came meanwhile.
        case attempt([CommitGroup])
        case close([CommitGroup])
    }

    /// Waits for a read, the close, or the time to try again: `CLOCK_MONOTONIC`, seconds and nanoseconds.
    func next(retryAt deadline: timespec) -> Retry {
        locked {
            var deadline = deadline
            isWaiting = true
            defer { isWaiting = false }
            while true {
                if let work = jobs.next(readsOnly: true) { return .read(work) }
                if jobs.isClosing { return .close(jobs.takeAllCommits()) }
                if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
                    return .attempt(jobs.takeAllCommits())
                }
            }
        }
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}
