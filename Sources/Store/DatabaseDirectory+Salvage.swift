import Glibc

/// How a new database takes the place of a damaged one, so that a power loss at any moment leaves one of the two, whole.
///
/// The new one is made in `salvage.tmp`, which is thrown away at a start. Once it is synced the folder is renamed to
/// `salvage`: from then on who opens the database finishes what was begun. The damaged file and its log stay beside as
/// `roost.db.broken-N`, for a person to look at, as long as the budget has room for them; as `roost.db.unsaved-N`, which
/// nobody removes but a person, where there was no room to copy its messages.
extension DatabaseDirectory {
    private var unfinished: String { path + "/salvage.tmp" }
    private var finished: String { path + "/salvage" }
    private var database: String { path + "/roost.db" }
    /// In the new one's folder: the messages are in the damaged file alone.
    private static let mark = "/unsaved"

    /// An empty folder to make the new database in.
    func beginSalvage() throws(StoreError) -> String {
        discardSalvage()
        guard mkdir(unfinished, 0o700) == 0 || errno == EEXIST else { throw Self.error(unfinished) }
        return unfinished
    }

    func discardSalvage() {
        for name in ["/roost.db", "/roost.db-wal", "/roost.db-shm", "/roost.db-journal", Self.mark] {
            unlink(unfinished + name)
        }
        rmdir(unfinished)
    }

    /// The new database, closed, is to take the damaged one's place, and does if the file system lets it now. Returns where
    /// the damaged one is kept, as far as that is known.
    func endSalvage(leavesMessages: Bool) throws(StoreError) -> String? {
        if leavesMessages {
            let descriptor = open(unfinished + Self.mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw Self.error(unfinished + Self.mark) }
            close(descriptor)
        }
        try Self.sync(unfinished + "/roost.db")
        try Self.sync(unfinished)
        guard rename(unfinished, finished) == 0 else { throw Self.error(finished) }
        // From here on there is no way back; `finishSalvage` is called again before anybody opens the database.
        do throws(StoreError) { return try finishSalvage() } catch { return nil }
    }

    /// A whole new file, closed and with no log, takes the database's place: at once or not at all.
    func replaceDatabase(with file: String) throws(StoreError) {
        // SQLite makes a copy as the umask has it.
        chmod(file, 0o600)
        try Self.sync(file)
        guard rename(file, database) == 0 else { throw Self.error(database) }
        unlink(database + "-wal")
        unlink(database + "-shm")
        try sync()
        discardSalvage()
    }

    /// Goes on where a salvage was cut off; nothing to do is the usual case.
    @discardableResult
    func finishSalvage() throws(StoreError) -> String? {
        guard access(finished + "/roost.db", F_OK) == 0 else {
            unlink(finished + Self.mark)
            rmdir(finished)
            return nil
        }
        try sync()
        let name = access(finished + Self.mark, F_OK) == 0 ? "unsaved" : "broken"
        var number = 1
        while access("\(database).\(name)-\(number)", F_OK) == 0 { number += 1 }
        let evidence = "\(database).\(name)-\(number)"
        try move(database + "-wal", evidence + "-wal")
        try move(database, evidence)
        unlink(database + "-shm")
        try move(finished + "/roost.db", database)
        try sync()
        unlink(finished + Self.mark)
        rmdir(finished)
        return access(evidence, F_OK) == 0 ? evidence : nil
    }

    /// Damaged databases that are kept, the oldest first, with what belongs to them.
    var evidence: [(name: String, bytes: Int)] {
        var files: [(number: Int, name: String, bytes: Int)] = []
        guard let listing = opendir(path) else { return [] }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name.hasPrefix("roost.db.broken-"), let number = Int(name.dropFirst(16).prefix { $0 != "-" }) else {
                continue
            }
            var status = stat()
            guard stat(path + "/" + name, &status) == 0 else { continue }
            files.append((number, name, Int(status.st_blocks) * 512))
        }
        return files.sorted { ($0.number, $0.name) < ($1.number, $1.name) }.map { ($0.name, $0.bytes) }
    }

    /// Removes the oldest of them until the rest has no more than `bytes`; what went.
    func trimEvidence(to bytes: Int) -> [String] {
        let files = evidence
        var sum = files.reduce(0) { $0 + $1.bytes }
        var gone: [String] = []
        for file in files where sum > max(0, bytes) {
            unlink(path + "/" + file.name)
            sum -= file.bytes
            gone.append(file.name)
        }
        return gone
    }

    /// A file of this directory that is not there is none to move.
    private func move(_ from: String, _ to: String) throws(StoreError) {
        guard renameFile(from, to) != 0, errno != ENOENT else { return }
        throw Self.error(from)
    }

    private static func sync(_ path: String) throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error(path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw error(path) }
    }

    private static func error(_ path: String) -> StoreError {
        let code = errno
        return Database.isFull(code) ? .full(path: path) : .notWritable(path: path, errno: code)
    }
}
