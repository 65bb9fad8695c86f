import CSQLite

/// After a failed write or sync.
///
/// A failed fsync leaves the kernel's page cache with bytes that the disk may not have, and marks them clean: the next sync
/// would succeed without them. In a WAL that is poison, since recovery after a power loss stops at the first bad frame and
/// drops all that was committed behind it. So what follows the last good commit is cut off before anyone reads it again.
extension Database {
    /// Closes and leaves the files as the last good commit left them; then the database can be opened again.
    ///
    /// Closing may checkpoint: what that writes was synced in the WAL before, and stays there if it fails.
    ///
    /// - Returns: whether all that is in the log now is surely on the disk; neither where this throws.
    func closeAfterFailure() throws(StoreError) -> Bool {
        let good = walIsDone ? 0 : 32 + connection.walFrames * (pageBytes + 24)
        let file = filePath
        abandon()
        guard SQLiteFile.exists(file + "-wal", vfs: options.vfs) else { return true }
        // With another process reading the database, the memory that they share says where the log ends: the failed frames
        // are behind that and will be overwritten, unless it goes first.
        guard options.vfs != nil || !SQLiteFile.isShared(file) else { return false }
        do throws(SQLiteError) {
            try SQLiteFile.truncateWAL(of: file, to: good, vfs: options.vfs)
        } catch { throw Self.storeError(error, path: file) }
        return true
    }

    /// The log could not be moved into the database at the opening, so that it goes on where it ends: what is read from it is
    /// answered for, and what is committed from here on lies behind it.
    ///
    /// Without `isAgain` nobody can say whether the disk has it, even where its sync has succeeded just now. A process that was
    /// killed may have left it unsynced, or was told of a failed sync and ended before it could do anything about that; the
    /// kernel tells one process, once. So it is written anew, and where that fails too the database does not open.
    func keepLog(isAgain: Bool) throws(SQLiteError) {
        if !isAgain {
            do throws(SQLiteError) {
                try SQLiteFile.rewriteWAL(of: filePath, vfs: options.vfs)
            } catch {
                // Not every file system writes in place.
                guard error.primaryCode == SQLITE_FULL, let directory, directory.ballastBytes > 0 else { throw error }
                directory.releaseBallast()
                try SQLiteFile.rewriteWAL(of: filePath, vfs: options.vfs)
            }
        }
        walBytes = SQLiteFile.sizeOfWAL(of: filePath, vfs: options.vfs)
        connection.walFrames = StoreVFS.framesInLog(of: connection.handle)
    }

    /// For a full disk: of these groups only what gives space, ahead of its turn; it comes again with its group.
    ///
    /// What a trim takes is with its destinations, or lost: the gaps below it go with it. Two things wait for their group.
    /// What `keep = "latest"` superseded, since the newer message is in it and not on disk yet; and what was passed out of turn
    /// where there are gaps, since a gap that is told without the numbers before it would leave those unexplained.
    func trimOnly(_ groups: [CommitGroup]) throws(StoreError) {
        let changes = groups.flatMap(\.changes)
        let gaps = changes.compactMap { change -> GapRecord? in
            guard case .state(.gap, let key, let value?) = change else { return nil }
            return GapRecord(key: key, value: value)
        }
        let superseding = Set(changes.compactMap(Self.supersedingRoute))
        let losing = superseding.union(gaps.map(\.route))
        try transaction { () throws(SQLiteError) in
            for change in changes {
                switch change {
                case .trim(let stream, let below) where !isRoute(stream, among: superseding):
                    trim(stream.rawValue, below: below)
                case .passed(let stream, let ranges) where !isRoute(stream, among: losing):
                    try removePassed(stream.rawValue, ranges)
                default: break
                }
            }
            for gap in gaps where isTrimmed(gap) { try write(.gap, key: gap.key, value: gap.value) }
            try sweepStep(rows: .max, bytes: options.ballast > 0 ? 4 * options.ballast : Self.sweepBytes)
            try writeCounters(all: false)
        }
        try checkpoint()
    }

    private static func supersedingRoute(_ change: Change) -> String? {
        guard case .state(.gap, let key, let value) = change, value != nil else { return nil }
        return SupersededNumbers.route(ofKey: key)
    }

    private func isRoute(_ stream: StreamID, among names: Set<String>) -> Bool {
        guard case .route(let name) = counters[stream.rawValue]?.record?.kind else { return false }
        return names.contains(name)
    }

    /// All numbers up to the gap's last have been passed, on disk too.
    private func isTrimmed(_ gap: GapRecord) -> Bool {
        counters.values.contains {
            guard let record = $0.record, case .route(gap.route) = record.kind else { return false }
            return record.run == gap.run && record.lane == gap.lane && $0.trimmedBelow > gap.last
        }
    }

    /// Whether these groups fit without the room that a missing ballast left: that is kept for the WAL in which trims are
    /// committed, and for moving it into the database. Filling it would leave no way to free space.
    func hasRoom(for groups: some Sequence<CommitGroup>) throws(StoreError) -> Bool {
        guard let directory, let statements, ballastBytes < options.ballast else { return true }
        let need = groups.reduce(64 << 10) { $0 + $1.packetBytes }
        do throws(SQLiteError) {
            defer { statements.freePages.reset() }
            _ = try statements.freePages.step()
            let free = statements.freePages.int(0) * pageBytes
            return free + max(0, directory.availableBytes - (options.ballast - ballastBytes)) >= need
        } catch { throw Self.storeError(error, path: filePath) }
    }

    /// Puts the ballast (back) where there is room.
    func restoreBallast() {
        guard let directory, !isReadOnly, options.ballast > 0, ballastBytes != options.ballast else { return }
        directory.restoreBallast(options.ballast)
        ballastBytes = directory.ballastBytes
    }
}

extension CommitGroup {
    var packetBytes: Int { segments.reduce(0) { $0 + $1.packets.count } }
}
