import EventLoop
import Glibc

/// The store's writer on a thread of its own: the one place that waits for the disk.
public final class StoreWriter: StoreEngine, Sendable {
    /// Between two attempts in a failing episode.
    static let backoffSeconds = 1

    private let jobs: StoreJobBox
    private let thread: pthread_t

    /// - Parameters:
    ///   - database: goes to the thread, which closes it.
    ///   - rest: of the loop that submits; without one, it counts as resting.
    ///   - post: called on the writer's thread with each report: puts it in the loop's mailbox.
    public init(
        database: sending Database, rest: LoopRest = LoopRest(isResting: true),
        post: @escaping @Sendable (StoreReport) -> Void
    ) {
        jobs = StoreJobBox(rest: rest)
        let work = Work(jobs: jobs, worker: StoreWorker(database: database, report: post))
        let context = Unmanaged.passRetained(work).toOpaque()
        var created = pthread_t()
        let code = pthread_create(
            &created, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context)
        precondition(code == 0, "no thread for the store")
        thread = created
    }

    public func submit(_ job: StoreJob) { jobs.submit(job) }

    /// Waits until the thread has ended, which it does after `close`. Once only.
    public func join() { pthread_join(thread, nil) }

    /// What the thread owns.
    private final class Work {
        let jobs: StoreJobBox
        let worker: StoreWorker

        private var gathering = Gathering()

        init(jobs: StoreJobBox, worker: StoreWorker) {
            self.jobs = jobs
            self.worker = worker
            // Before the report: those whose acknowledgements go out by it publish again, and were not on their way with the others.
            worker.didCommit = { [unowned self] in gathering.end(messages: $0, waiting: self.jobs.waitingMessages) }
        }

        func run() {
            // Signals are the loop's.
            var signals = sigset_t()
            sigfillset(&signals)
            pthread_sigmask(SIG_SETMASK, &signals, nil)
            while worker.isFailing ? retry() : perform(jobs.next(&gathering, sweeps: worker.hasToSweep)) {}
        }

        /// Whether there will be more.
        private func perform(_ work: StoreJobs.Work) -> Bool {
            worker.perform(work)
            while worker.hasMoreToTry { worker.retry() }
            if case .close = work { return false }
            return true
        }

        private func retry() -> Bool {
            var deadline = timespec()
            clock_gettime(CLOCK_MONOTONIC, &deadline)
            deadline.tv_sec += StoreWriter.backoffSeconds
            while true {
                switch jobs.next(retryAt: deadline) {
                case .read(let read): worker.perform(read)
                case .attempt(let groups):
                    worker.perform(.commit(groups))
                    worker.retry()
                    return true
                case .close(let groups):
                    worker.perform(.commit(groups))
                    return perform(.close)
                }
            }
        }
    }
}
