import Store

/// A store that commits when it is told to.
final class SteppedEngine: StoreEngine {
    var jobs: [StoreJob] = []
    var groups: [CommitGroup] = []
    weak var log: Log?

    func submit(_ job: StoreJob) {
        jobs.append(job)
        if case .commit(let group) = job { groups.append(group) }
    }

    /// Answers everything.
    func step() {
        let due = jobs
        jobs = []
        for job in due {
            switch job {
            case .commit(let group): log?.handle(.committed(number: group.number, usedBytes: 0, removed: []))
            case .read(let tag, let stream, let from, _):
                let segments = groups.flatMap(\.segments).filter {
                    $0.stream == stream && $0.first + UInt64($0.count) > from
                }
                log?.handle(
                    .read(
                        tag: tag,
                        segments: segments.map {
                            StoredSegment(
                                stream: $0.stream, first: $0.first, count: $0.count, packets: $0.packets,
                                index: $0.index,
                                receivedAt: $0.receivedAt)
                        }, removed: []))
            case .expire, .withdraw, .close: break
            }
        }
    }
}
