import CLinux
import Glibc

/// A program that a test runs. Its output goes to files in the test's directory, and it dies with the value.
final class Child {
    let program: String
    let arguments: [String]
    let pid: pid_t
    let outputPath: String
    let errorPath: String
    /// Sizes of the files when it was started: several runs may append to the same ones.
    let outputStart: Int
    let errorStart: Int
    private var status: Int32?

    /// - Parameter name: of its output files, `name.out` and `name.err`.
    init(_ program: String, _ arguments: [String], name: String, in directory: Directory, input: String = "/dev/null")
        throws
    {
        self.program = program
        self.arguments = arguments
        outputPath = directory.path(of: "\(name).out")
        errorPath = directory.path(of: "\(name).err")
        outputStart = size(of: outputPath)
        errorStart = size(of: errorPath)

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        // Whatever else this process has open, locks of other tests among it, is none of the child's business. Closing what
        // isn't open is no error here.
        for descriptor in 3..<Int32(256) { posix_spawn_file_actions_addclose(&actions, descriptor) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK))

        var argv = ([program] + arguments).map { strdup($0) }
        var envp = Self.environment().map { strdup($0) }
        defer { for pointer in argv + envp { free(pointer) } }
        argv.append(nil)
        envp.append(nil)
        var started: pid_t = 0
        let result = posix_spawnp(&started, program, &actions, &attributes, argv, envp)
        guard result == 0 else { throw Failure("cannot start \(program): errno \(result)") }
        pid = started
    }

    deinit {
        if isRunning { kill() }
    }

    /// What has a crash of Swift print a trace takes seconds and, in a test that kills on purpose, says nothing.
    private static func environment() -> [String] {
        var result = ["SWIFT_BACKTRACE=enable=no"]
        var entry = environ
        while let pointer = entry.pointee {
            let pair = String(cString: pointer)
            if !pair.hasPrefix("SWIFT_BACKTRACE=") && !pair.hasPrefix("ROOST_") { result.append(pair) }
            entry += 1
        }
        return result
    }

    var isRunning: Bool {
        guard status == nil else { return false }
        var found: Int32 = 0
        guard waitpid(pid, &found, WNOHANG) == pid else { return true }
        status = found
        return false
    }

    /// After it ended by itself; nil while it runs and after a signal.
    var exitCode: Int32? {
        guard !isRunning, let status, status & 0x7F == 0 else { return nil }
        return (status >> 8) & 0xFF
    }

    /// The signal that ended it.
    var endingSignal: Int32? {
        guard !isRunning, let status, status & 0x7F != 0 else { return nil }
        return status & 0x7F
    }

    func send(_ signal: Int32) {
        if isRunning { _ = Glibc.kill(pid, signal) }
    }

    /// SIGKILL, and waits until it is gone.
    func kill() {
        guard isRunning else { return }
        _ = Glibc.kill(pid, SIGKILL)
        var found: Int32 = 0
        while waitpid(pid, &found, 0) < 0 && errno == EINTR {}
        status = found
    }

    var output: String { text(of: outputPath, from: outputStart) }
    var errors: String { text(of: errorPath, from: errorStart) }
    var lines: [Substring] { output.split(separator: "\n") }

    /// For messages.
    var account: String {
        let state = isRunning ? "running" : exitCode.map { "exit \($0)" } ?? "signal \(endingSignal ?? 0)"
        return "\(program) \(arguments.joined(separator: " ")) [\(state)]\n\(output.tail)\(errors.tail)"
    }
}

extension String {
    /// The last 40 lines.
    var tail: String {
        let lines = split(separator: "\n", omittingEmptySubsequences: false)
        return lines.suffix(40).joined(separator: "\n")
    }
}
