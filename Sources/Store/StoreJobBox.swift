import Glibc

/// `StoreJobs` between the loops that submit and the thread that takes.
final class StoreJobBox: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var jobs = StoreJobs()

    init() {
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

    func submit(_ job: StoreJob) {
        pthread_mutex_lock(mutex)
        jobs.submit(job)
        pthread_mutex_unlock(mutex)
        pthread_cond_signal(condition)
    }

    /// Waits for work. Commits wait until `gathering` for company; reads don't. With something to sweep it doesn't wait.
    func next(gathering: timespec?, sweeps: Bool) -> StoreJobs.Work {
        locked {
            while true {
                if var deadline = gathering, !jobs.isClosing {
                    if let work = jobs.next(readsOnly: true) { return work }
                    guard !jobs.isEmpty else {
                        if sweeps { return .sweep }
                        pthread_cond_wait(condition, mutex)
                        continue
                    }
                    if pthread_cond_timedwait(condition, mutex, &deadline) != ETIMEDOUT { continue }
                }
                if let work = jobs.next(sweeps: sweeps) { return work }
                pthread_cond_wait(condition, mutex)
            }
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
