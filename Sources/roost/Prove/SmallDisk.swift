import CLinux
import Glibc

/// A file system that can be filled: for root a small tmpfs that this process and its children alone see; for others there
/// is none, and the node's files may not grow instead (RLIMIT_FSIZE), which to a program is a failing write as well.
final class SmallDisk {
    static let mebibytes = 24

    /// Where the node's data goes.
    let path: String
    /// Has a file system of its own, which can be full (ENOSPC).
    let isMounted: Bool
    private var filler: String { path + "/filling" }

    /// - Parameter path: a directory that is made.
    init(_ path: String) throws {
        self.path = path
        guard mkdir(path, 0o700) == 0 else {
            throw Failure.refused("\(path): \(String(cString: strerror(errno)))")
        }
        isMounted =
            geteuid() == 0 && linux_private_mounts() == 0
            && mount("tmpfs", path, "tmpfs", 0, "size=\(Self.mebibytes)m,mode=700") == 0
        if isMounted { Leftovers.add(mount: path) }
        // What a limit answers with is a signal that ends the program, unless it is ignored; children inherit that.
        if !isMounted { signal(SIGXFSZ, SIG_IGN) }
    }

    var name: String {
        isMounted ? "a tmpfs of \(Self.mebibytes) MiB, filled to the last byte" : "a file size limit (RLIMIT_FSIZE)"
    }

    /// Leaves no byte to anybody.
    func fill(_ process: pid_t) {
        guard isMounted else {
            linux_limit_file_size(process, 4096)
            return
        }
        let descriptor = open(filler, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let block = [UInt8](repeating: 0xA5, count: 65_536)
        for step in [65_536, 4_096, 1] {
            while write(descriptor, block, step) > 0 {}
        }
    }

    func clear(_ process: pid_t) {
        if isMounted { unlink(filler) } else { linux_limit_file_size(process, 0) }
    }
}
