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
    func closeAfterFailure() throws(StoreError) {
        let good = walIsDone ? 0 : 32 + connection.walFrames * (pageBytes + 24)
        let file = filePath
        abandon()
        // With another process reading the database, the memory that they share says where the log ends: the failed frames
        // are behind that and will be overwritten.
        guard SQLiteFile.exists(file + "-wal", vfs: options.vfs), options.vfs != nil || !SQLiteFile.isShared(file)
        else { return }
        do throws(SQLiteError) {
            try SQLiteFile.truncateWAL(of: file, to: good, vfs: options.vfs)
        } catch { throw Self.storeError(error, path: file) }
    }

    /// For a full disk: of these groups only what gives space, ahead of its turn. A trim says that its destinations have
    /// the messages, so it loses nothing; it comes again with its group.
    func trimOnly(_ groups: [CommitGroup]) throws(StoreError) {
        try transaction { () throws(SQLiteError) in
            for group in groups {
                for case .trim(let stream, let below) in group.changes { trim(stream.rawValue, below: below) }
            }
            try sweepStep(rows: .max, bytes: options.ballast > 0 ? 4 * options.ballast : Self.sweepBytes)
            try writeCounters(all: false)
        }
        try checkpoint()
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
