import Glibc

/// The data directory: its lock, which one process holds, and the ballast.
final class DatabaseDirectory {
    let path: String
    private(set) var lock: Int32
    /// The system's `rename`, which a full disk may refuse; tests put one that does in its place.
    var renameFile: (String, String) -> Int32 = { rename($0, $1) }

    private var ballastPath: String { path + "/ballast" }

    /// The group may pass through to the admin socket; the files are the owner's alone.
    private static let mode: mode_t = 0o750

    private static func make(_ path: String) throws(StoreError) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw .notWritable(path: path, errno: errno)
        }
        try make(String(path[..<slash]))
        if mkdir(path, mode) != 0, errno != EEXIST { throw .notWritable(path: path, errno: errno) }
    }

    /// Creates the directory, and those it is in, where they are missing, and locks it.
    init(path: String) throws(StoreError) {
        self.path = path
        try Self.make(path)
        lock = try Self.takeLock(in: path)
        writeHolder()
    }

    private static func takeLock(in path: String) throws(StoreError) -> Int32 {
        let lockPath = path + "/lock"
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .notWritable(path: lockPath, errno: errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw code == EWOULDBLOCK ? .locked(path: lockPath) : .notWritable(path: lockPath, errno: code)
        }
        return descriptor
    }

    /// Somebody deleted the directory with all that was in it, on a file system that is still there: it is made again, and
    /// locked again.
    func makeAgain() throws(StoreError) {
        var held = stat()
        guard fstat(lock, &held) == 0, held.st_nlink == 0 else { return }
        let above = path.lastIndex(of: "/").map { path[...$0] + "." } ?? "."
        var place = stat()
        guard stat(String(above), &place) == 0, place.st_dev == held.st_dev || isInPlace else { return }
        try Self.make(path)
        let taken = try Self.takeLock(in: path)
        Glibc.close(lock)
        lock = taken
        writeHolder()
    }

    /// The kernel drops the lock with the last descriptor: a child that is being started has one for a moment, so that the lock
    /// is given up by name.
    deinit {
        flock(lock, LOCK_UN)
        Glibc.close(lock)
    }

    /// For who finds the lock taken: by whom.
    private func writeHolder() {
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(lock, 0)
        _ = pwrite(lock, text, text.count, 0)
    }

    /// Makes the directory's new entries survive a power loss.
    func sync() throws(StoreError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .notWritable(path: path, errno: errno) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .notWritable(path: path, errno: errno) }
    }

    /// Bytes of the ballast file, 0 where there is none.
    var ballastBytes: Int {
        var status = stat()
        return stat(ballastPath, &status) == 0 ? Int(status.st_size) : 0
    }

    func releaseBallast() { unlink(ballastPath) }

    /// Of the file system, for unprivileged processes.
    var availableBytes: Int { Self.availableBytes(at: path) }

    static func availableBytes(at path: String) -> Int {
        var room = statvfs()
        return statvfs(path, &room) == 0 ? Int(room.f_bavail) * Int(room.f_frsize) : 0
    }

    /// Puts the ballast (back) where there is room for it and a quarter more; whether it is there.
    @discardableResult
    func restoreBallast(_ bytes: Int) -> Bool {
        if ballastBytes == bytes { return true }
        releaseBallast()
        guard bytes > 0, availableBytes > bytes + bytes / 4 else { return false }
        let descriptor = open(ballastPath, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        guard posix_fallocate(descriptor, 0, bytes) == 0 else {
            releaseBallast()
            return false
        }
        return true
    }
}
