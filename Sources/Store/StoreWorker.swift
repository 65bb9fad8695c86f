/// The writer's work without its thread: does one job at a time on the database, reports what came of it, and sees a failing
/// disk through.
///
/// An episode begins with the first write or sync that fails: `failing` is reported once, the database is closed, and each
/// `retry` opens it anew and writes all that is pending again. It ends with `recovered` and the reports of these commits.
/// Reads are answered meanwhile as far as the database opens.
final class StoreWorker {
    private let path: String
    private let options: DatabaseOptions
    /// Holds the lock while the database is closed.
    private var directory: DatabaseDirectory?
    /// nil while it can't be opened.
    private var database: Database?
    private let report: (StoreReport) -> Void
    /// Told how many messages a transaction has put on the disk, before anybody else hears of it.
    var didCommit: ((_ messages: Int) -> Void)?

    private(set) var isFailing = false
    private var pending: [CommitGroup] = []
    /// Reads that the database could not be opened for.
    private var waiting: [StoreJobs.Read] = []
    private var lastError: StoreError?
    /// By stream, the highest number on disk, as the database knew before it failed.
    private var expected: [Int64: UInt64] = [:]
    /// In this episode, so that a disk that damages what is written isn't copied without end.
    private var hasSalvaged = false
    /// Damage that there was no room to salvage, and how many bytes were left then: more are waited for.
    private var unsalvaged: (damage: StoreError, room: Int)?
    /// All that is in the log of the closed database is on the disk: this process saw to that.
    private var knowsLog = true

    init(database: Database, report: @escaping (StoreReport) -> Void) {
        path = database.path
        options = database.options
        directory = database.directory
        self.database = database
        self.report = report
    }

    func perform(_ work: StoreJobs.Work) {
        switch work {
        case .read(let read): answer(read)
        case .commit(let groups): commit(groups)
        case .expire(let now): expire(now)
        case .sweep: sweep()
        case .withdraw(let groups): withdraw(groups)
        case .close: close()
        }
    }

    /// One more attempt in a failing episode.
    func retry() {
        guard isFailing else { return }
        do throws(StoreError) {
            if case .full = lastError { try makeRoom() }
            try salvageIfDamaged()
            try writePending()
        } catch { fail(error) }
    }

    /// Whether a further attempt makes sense at once: the ballast has not been given up yet, or there is something to save.
    var hasMoreToTry: Bool {
        guard isFailing, let lastError, let directory else { return false }
        if case .full = lastError { return directory.ballastBytes > 0 }
        return lastError.isDamage && !hasSalvaged && !waitsForRoom
    }

    /// What is readable is saved into a new database, on this thread: meanwhile nothing is acknowledged that must be kept.
    private func salvageIfDamaged() throws(StoreError) {
        guard let lastError, lastError.isDamage, !hasSalvaged, !waitsForRoom, let directory, options.vfs == nil else {
            return
        }
        unsalvaged = nil
        // A read may have opened it again meanwhile.
        try? closeFailed()
        let saved: SalvageReport
        do throws(StoreError) {
            saved = try Database.salvage(
                in: directory, options: options, because: lastError.damageText, expected: expected)
        } catch {
            if case .full = error { unsalvaged = (lastError, directory.availableBytes) } else { hasSalvaged = true }
            throw error
        }
        hasSalvaged = true
        report(.salvaged(saved))
    }

    /// Damage is known, and there is still no room to salvage what is readable: what needs the damaged pages waits, all else
    /// goes on.
    private var waitsForRoom: Bool {
        guard let unsalvaged, let directory else { return false }
        return directory.availableBytes <= unsalvaged.room
    }

    /// Commits what waits; in a failing episode it waits for `retry`.
    private func commit(_ groups: [CommitGroup]) {
        pending += groups
        if !isFailing, let unsalvaged, !waitsForRoom { fail(unsalvaged.damage) }
        guard !isFailing, !pending.isEmpty else { return }
        do throws(StoreError) { try writePending() } catch { fail(error) }
    }

    /// Writes all that is pending, in transactions of no more than the ballast can carry, and reports each.
    private func writePending() throws(StoreError) {
        let database = try opened()
        repeat {
            let groups = Array(pending.prefix(StoreJobs.merge(pending)))
            database.restoreBallast()
            guard try database.hasRoom(for: groups) else { throw .full(path: database.filePath) }
            let result = try database.commit(groups)
            pending.removeFirst(groups.count)
            didCommit?(groups.reduce(0) { $0 + $1.messages })
            if isFailing { recover() }
            reportCommitted(groups, result)
            try database.checkpointIfDue()
        } while !pending.isEmpty
    }

    /// On a full disk: the ballast goes, and what has been passed by its destinations goes ahead of its turn.
    private func makeRoom() throws(StoreError) {
        directory?.releaseBallast()
        let database = try opened()
        database.ballastBytes = 0
        try database.trimOnly(pending)
    }

    /// What was evicted is reported with the last group: the loop knows all that went by then.
    private func reportCommitted(_ groups: [CommitGroup], _ result: (usedBytes: Int, removed: [Removal])) {
        for (index, group) in groups.enumerated() {
            let removed = index == groups.count - 1 ? result.removed : []
            report(.committed(number: group.number, usedBytes: result.usedBytes, removed: removed))
        }
    }

    private func recover() {
        isFailing = false
        lastError = nil
        hasSalvaged = false
        report(.recovered)
        let reads = waiting
        waiting = []
        for read in reads { answer(read) }
    }

    private func fail(_ error: StoreError) {
        lastError = error
        if !isFailing {
            isFailing = true
            report(.failing(error))
        }
        if let database {
            expected.merge(database.counters.mapValues(\.lastNumber)) { max($0, $1) }
        }
        do throws(StoreError) { try closeFailed() } catch {
            if lastError?.isDamage != true { lastError = error }
        }
    }

    private func closeFailed() throws(StoreError) {
        guard let failed = database else { return }
        database = nil
        knowsLog = false
        knowsLog = try failed.closeAfterFailure()
    }

    private func opened() throws(StoreError) -> Database {
        if let database { return database }
        try directory?.expectInPlace()
        try directory?.finishSalvage()
        let opened = try Database(path: path, options: options, directory: directory, isAgain: knowsLog)
        knowsLog = true
        opened.settleEvidence()
        database = opened
        return opened
    }

    private func answer(_ read: StoreJobs.Read) {
        do throws(StoreError) {
            let (segments, removed) = try opened().read(
                stream: read.stream, from: read.from, maximumBytes: read.maximumBytes,
                skipsDamage: options.vfs != nil || hasSalvaged)
            report(.read(tag: read.tag, segments: segments, removed: removed))
        } catch {
            waiting.append(read)
            // Nothing but room would help.
            guard !error.isDamage || !waitsForRoom else { return }
            fail(error)
        }
    }

    private func expire(_ now: Int64) {
        guard !isFailing, let database else { return }
        do throws(StoreError) {
            report(.expired(try database.expire(now: now), usedBytes: database.usedBytes))
        } catch { fail(error) }
    }

    /// The disk didn't take them, and the loop wants to know what becomes of them. While all is well they are written now.
    private func withdraw(_ groups: [CommitGroup]) {
        commit(groups)
        guard isFailing else { return report(.withdrawn([])) }
        let returned = pending
        pending = []
        report(.withdrawn(returned))
    }

    /// Passed segments wait to be deleted, and the disk lets us.
    var hasToSweep: Bool { !isFailing && database?.hasPassedSegments ?? false }

    private func sweep() {
        guard !isFailing, let database else { return }
        do throws(StoreError) {
            // What is in use is news only once it is over.
            if try !database.sweep() { report(.expired([], usedBytes: database.usedBytes)) }
        } catch { fail(error) }
    }

    private func close() {
        retry()
        do throws(StoreError) { try database?.close() } catch { fail(error) }
        database = nil
        directory = nil
        report(.closed)
    }
}
