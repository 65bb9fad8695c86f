import EventLoop
import Glibc

extension Prove {
    private static let startSeconds = 20.0
    /// After the last arrival the count goes on for so long: something might come twice.
    private static let afterglowSeconds = 1.5
    /// A count that doesn't move for so long is final.
    private static let patienceSeconds = 15.0
    /// How many messages may be on their way before publishers are held back: what proves nothing more need not wait.
    private static let mostUnderway = 100_000
    /// How long a quiet node may take until all its files are on the disk.
    private static let syncSeconds = 4.0
    private static let stopSeconds = 12.0
    private static let steadyTurn: Duration = .milliseconds(2)

    var elapsed: Double { (loop.now - phaseStart).seconds }
    private var schedule: ProveSchedule { ProveSchedule(choices) }

    /// Called at every turn.
    func advance() throws {
        noteChange()
        switch phase {
        case .starting: begin()
        case .linkUp:
            guard elapsed >= schedule.steady.seconds else { return }
            linkUp = measure().since(measureStart)
            faults.cut(.silent)
            enter(.linkDown)
        case .linkDown:
            guard elapsed >= schedule.steady.seconds else { return }
            linkDown = measure().since(measureStart)
            enter(.synced)
        case .synced:
            guard isQuietOnDisk || elapsed > Self.syncSeconds else { return }
            faults.restore()
            faults.start()
            for publisher in publishers { publisher.isPlain = false }
            enter(.faults)
        case .faults:
            publishAll()
            leaveNowAndThen()
            guard elapsed >= schedule.faults.seconds, faults.kills >= choices.kills,
                ledger.totals.acknowledged >= choices.messages
            else { return }
            faults.stop()
            for publisher in publishers { publisher.allow(0) }
            try fullDisk.start()
            enter(.full)
        case .full:
            try fullDisk.advance(refused: ledger.totals.refused)
            if fullDisk.isDone { enter(.settling) }
        case .settling: finishIfCounted()
        case .stopping: finishIfStopped()
        }
    }

    private func enter(_ next: Phase) {
        phase = next
        phaseStart = loop.now
        lastChange = loop.now
        measureStart = measure()
    }

    private func begin() {
        guard cloudReader.isSubscribed, sessionReader.isSubscribed, publishers.allSatisfy(\.isConnected) else {
            guard elapsed > Self.startSeconds else { return }
            let logs = [cloud, node].map { "\n\($0.name):" + $0.lastLines().map { "\n  \($0)" }.joined() }
            return fail(
                .refused("the nodes don't serve after \(Int(Self.startSeconds)) s. Their last words:\(logs.joined())"))
        }
        for publisher in publishers { publisher.isPlain = true }
        enter(.linkUp)
        steadyStart = loop.now
        publishSteadily()
    }

    // MARK: - Load

    /// As many as are due at the rate, evenly and by each publisher in turn, as long as wear is measured.
    private func publishSteadily() {
        guard phase == .linkUp || phase == .linkDown else { return }
        let due = Int((loop.now - steadyStart).seconds * choices.rate) - given
        for _ in 0..<due {
            let publisher = publishers[given % publishers.count]
            publisher.allow((publisher.allowance ?? 0) + 1)
            given += 1
        }
        loop.schedule(after: Self.steadyTurn) { [weak self] in self?.publishSteadily() }
    }

    private func publishAll() {
        let totals = ledger.totals
        let isFull = max(totals.cloud.missing, totals.session.missing) > Self.mostUnderway
        for publisher in publishers { publisher.allow(isFull ? 0 : nil) }
    }

    /// The session's owner is away for a while, once in two seconds or so.
    private func leaveNowAndThen() {
        guard Int.random(in: 0..<40) == 0 else { return }
        sessionReader.leave(for: .milliseconds(Int64.random(in: 0...2000)))
    }

    // MARK: - Measuring

    private func measure() -> Measure {
        let totals = ledger.totals
        return Measure(
            at: loop.now, messages: totals.published + totals.publishedAtQoS0, diskBytes: Int(node.diskBytes()),
            deviceBytes: disk.writtenBytes(), wireBytes: Int(relay.bytes), plainBytes: totals.plainBytes)
    }

    /// Everything is acknowledged and nothing comes: then nothing may be in memory alone. It is looked at with the link cut,
    /// since then all of it must be in the node's files. Writing without syncing shows here, as no kill ever shows it.
    private var isQuietOnDisk: Bool {
        guard publishers.allSatisfy(\.isDrained) else { return false }
        let files = ["roost.db", "roost.db-wal"].compactMap { Disk.isDirty("\(node.data)/\($0)") }
        guard files.count == 2 else { return true }
        isSynced = !files.contains(true)
        return isSynced == true
    }

    private func noteChange() {
        let totals = ledger.totals
        let count =
            totals.acknowledged + totals.refused + totals.cloud.messages + totals.cloud.atQoS0 + totals.cloud.duplicates
            + totals.cloud.repeated + totals.session.messages + totals.session.duplicates
        guard count != lastCount else { return }
        lastCount = count
        lastChange = loop.now
    }

    // MARK: - The end

    /// The count is final when all is there and nothing more came for a while, or when nothing moves any more.
    private func finishIfCounted() {
        let totals = ledger.totals
        let quiet = (loop.now - lastChange).seconds
        let isThere =
            (publishers + smallPublishers).allSatisfy(\.isDrained) && totals.cloud.missing == 0
            && totals.session.missing == 0
        guard quiet >= (isThere ? Self.afterglowSeconds : Self.patienceSeconds) else { return }
        isCounted = true
        for publisher in publishers + smallPublishers { publisher.end() }
        cloudReader.end()
        sessionReader.end()
        for node in [node, cloud, smallNode] { node.stop() }
        enter(.stopping)
    }

    private func finishIfStopped() {
        for node in [node, cloud, smallNode] {
            guard node.isRunning, let end = node.collect(), end != .exited(0) else { continue }
            return fail(Faults.failure(of: node, end))
        }
        guard [node, cloud, smallNode].contains(where: \.isRunning) else { return loop.stop() }
        if elapsed > Self.stopSeconds { fail(.refused("a roostd doesn't stop when it is asked to")) }
    }
}
