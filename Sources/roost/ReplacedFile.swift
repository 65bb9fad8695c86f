import Glibc

/// A file that is read, and then replaced whole: at any time it is the old one or the new one, whatever happens.
struct ReplacedFile {
    private let name: String
    /// Where it really lies: what a link points to is replaced, and not the link.
    private let path: String

    init(_ name: String) {
        self.name = name
        guard let real = realpath(name, nil) else {
            path = name
            return
        }
        defer { free(real) }
        path = String(cString: real)
    }

    /// nil: it is not there.
    func read() throws -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw problem("cannot be read") }
            return nil
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw problem("cannot be read") }
            guard count > 0 else { return bytes }
            bytes += chunk[..<count]
        }
    }

    /// Only the owner may read a new one. One that was there keeps its owner and group, and what the group may, so that a
    /// daemon that could read it still can; everybody else no longer may.
    func replace(with bytes: [UInt8]) throws {
        let temporary = path + ".new-\(getpid())"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw problem("cannot be written") }
        var isDone = false
        defer {
            close(descriptor)
            if !isDone { unlink(temporary) }
        }
        var status = stat()
        if stat(path, &status) == 0 {
            if fchown(descriptor, status.st_uid, status.st_gid) != 0, status.st_uid != geteuid() {
                throw problem("belongs to somebody else, and would no longer: run this as its owner")
            }
            fchmod(descriptor, (status.st_mode & 0o640) | 0o600)
        }
        let isWritten = bytes.withUnsafeBytes { Terminal.writeAll($0, to: descriptor) }
        guard isWritten, fsync(descriptor) == 0, rename(temporary, path) == 0 else {
            throw problem("cannot be written")
        }
        isDone = true
        syncDirectory()
    }

    private func syncDirectory() {
        let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let descriptor = open(directory, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private func problem(_ text: String) -> Failure {
        Failure.refused("\(name) \(text): \(String(cString: strerror(errno)))")
    }
}
