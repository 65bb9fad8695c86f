import Glibc

/// A roostd that is run here: its directory, its configuration, and the process, which may live several times.
final class Node {
    /// How a life ended.
    enum End: Equatable {
        case exited(Int32)
        case killed(Int32)
    }

    let name: String
    let directory: String
    let port: UInt16
    /// Where it keeps its data; a directory of its own, unless told otherwise before `prepare`.
    var data: String
    /// Its admin socket.
    var socket: String
    /// Beside `-c FILE`.
    var arguments: [String] = []
    private(set) var pid: pid_t = 0
    /// Processes started.
    private(set) var lives = 0
    /// Its end has been asked for.
    private(set) var isEnding = false
    /// Bytes that earlier lives had written to disk.
    private var earlierDiskBytes: UInt64 = 0
    private var latestDiskBytes: UInt64 = 0

    var isRunning: Bool { pid != 0 }
    var configuration: String { "\(directory)/roost.toml" }
    private var log: String { "\(directory)/log" }

    init(_ name: String, in parent: String, port: UInt16) {
        self.name = name
        directory = "\(parent)/\(name)"
        self.port = port
        data = "\(parent)/\(name)/data"
        socket = "\(parent)/\(name)/admin.sock"
    }

    /// Makes the directory, and writes `roost.toml`: what every node has, then `text`.
    func prepare(_ text: String) throws {
        let whole = """
            [node]
            id = "\(name)"
            data = "\(data)"

            [[listener]]
            bind = "127.0.0.1:\(port)"

            [admin]
            socket = "\(socket)"

            \(text)
            """
        guard mkdir(directory, 0o700) == 0 else { throw Self.failure(directory) }
        let descriptor = open(configuration, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(configuration) }
        defer { close(descriptor) }
        let written = Array((whole + "\n").utf8).withUnsafeBytes { Terminal.writeAll($0, to: descriptor) }
        guard written else { throw Self.failure(configuration) }
    }

    func start() throws {
        pid = try Child.start(Daemon.program, ["-c", configuration] + arguments, log: log)
        lives += 1
        isEnding = false
        latestDiskBytes = 0
        Leftovers.add(process: pid)
    }

    /// SIGKILL: without warning, and without a chance to write anything more.
    func kill() { signal(SIGKILL) }

    /// Asks it to end in good order.
    func stop() { signal(SIGTERM) }

    private func signal(_ number: Int32) {
        guard pid != 0 else { return }
        isEnding = true
        measure()
        // roostd may be a script that runs the real one.
        _ = Glibc.kill(-pid, number)
    }

    /// What has become of the process: nil while it runs. Reads its disk counter for the last time before it is gone.
    func collect() -> End? {
        guard pid != 0 else { return nil }
        var information = siginfo_t()
        let found = waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT)
        guard found == 0, information.si_signo == SIGCHLD else { return nil }
        measure()
        earlierDiskBytes += latestDiskBytes
        latestDiskBytes = 0
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        // Orphans of its group hold the data directory until they are gone; they are ours where we adopt them.
        while waitpid(-pid, nil, 0) > 0 || errno == EINTR {}
        Leftovers.remove(process: pid)
        pid = 0
        let number = status & 0x7F
        return number == 0 ? .exited((status >> 8) & 0xFF) : .killed(number)
    }

    /// Bytes that its processes have caused to be sent to the disk (write_bytes, proc(5)).
    func diskBytes() -> UInt64 {
        measure()
        return earlierDiskBytes + latestDiskBytes
    }

    private func measure() {
        guard pid != 0, let text = Files.read("/proc/\(pid)/io") else { return }
        for line in text.split(separator: "\n") where line.hasPrefix("write_bytes: ") {
            latestDiskBytes = max(latestDiskBytes, UInt64(line.dropFirst(13)) ?? 0)
        }
    }

    /// The last lines of its log.
    func lastLines(_ count: Int = 12) -> [String] {
        (Files.read(log) ?? "").split(separator: "\n").suffix(count).map { String($0).printable }
    }

    private static func failure(_ path: String) -> Failure { .refused("\(path): \(String(cString: strerror(errno)))") }
}
