import Store

/// A store whose disk can be made to fail: commits wait then, as the writer keeps them, until it works again or they are
/// asked back.
final class FailingDisk: StoreEngine {
    private let store: StoreStep
    private let report: (StoreReport) -> Void
    private var pending: [CommitGroup] = []

    var isFailing = false {
        didSet {
            guard isFailing != oldValue else { return }
            guard !isFailing else {
                return report(.failing(.failed(path: "roost.db", code: 10, detail: "disk I/O error")))
            }
            report(.recovered)
            for group in pending { store.submit(.commit(group)) }
            pending = []
        }
    }

    init(_ store: StoreStep, report: @escaping (StoreReport) -> Void) {
        self.store = store
        self.report = report
    }

    func submit(_ job: StoreJob) {
        guard isFailing else { return store.submit(job) }
        switch job {
        case .commit(let group): pending.append(group)
        case .withdraw:
            let returned = pending
            pending = []
            report(.withdrawn(returned))
        case .expire: break
        case .read, .close: store.submit(job)
        }
    }
}
