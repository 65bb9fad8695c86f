import Glibc

/// A small tmpfs in the test's directory, to be filled or made read-only; unmounted with the scenario. For root alone.
final class Mount {
    let path: String

    init(_ scenario: Scenario, size: String) throws {
        path = try scenario.directory.make("mount")
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(size)") == 0 else {
            throw Failure("cannot mount a tmpfs: errno \(errno)")
        }
        let path = path
        scenario.atEnd { umount2(path, Int32(MNT_DETACH)) }
    }

    func makeReadOnly() throws {
        guard mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT | MS_RDONLY), nil) == 0 else {
            throw Failure("cannot remount \(path): errno \(errno)")
        }
    }
}

extension Mount {
    /// Leaves no byte to anybody.
    func fill() throws {
        let descriptor = open(path + "/filling", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("cannot fill \(path): errno \(errno)") }
        defer { close(descriptor) }
        let block = [UInt8](repeating: 0xA5, count: 65_536)
        for step in [65_536, 4096, 1] {
            while write(descriptor, block, step) > 0 {}
        }
    }

    func empty() { unlink(path + "/filling") }
}
