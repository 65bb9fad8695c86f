/// The writer without a thread, for tests and simulation: `submit` queues, `step` does one job and reports at once.
public final class StoreStep: StoreEngine {
    /// Keeps commits, expiry and the close back while true; reads are answered.
    public var hold = false
    private var jobs = StoreJobs()
    private let worker: StoreWorker

    public init(database: Database, handler: @escaping (StoreReport) -> Void) {
        worker = StoreWorker(database: database, report: handler)
    }

    public func submit(_ job: StoreJob) { jobs.submit(job) }

    public var isFailing: Bool { worker.isFailing }

    /// Does the next job, or makes one attempt to end a failing episode; false: there was nothing to do.
    @discardableResult
    public func step() -> Bool {
        if let work = jobs.next(readsOnly: hold || worker.isFailing, sweeps: worker.hasToSweep) {
            worker.perform(work)
            return true
        }
        guard worker.isFailing, !hold else { return false }
        worker.perform(.commit(jobs.takeAllCommits()))
        worker.retry()
        if worker.isFailing, jobs.isClosing, let work = jobs.next() { worker.perform(work) }
        return true
    }

    /// Steps until nothing is left to do, or the disk keeps failing.
    public func drain() {
        while step() { if worker.isFailing { break } }
    }
}
