import Glibc

/// Starting a process that ends with this one.
enum Child {
    /// util-linux: has the kernel end the child when this process ends, even by SIGKILL.
    private static let binder = "/usr/bin/setpriv"

    /// Starts `program` with its output appended to `log`, default signals, none blocked, in a process group of its own, so
    /// that Ctrl-C reaches this process alone.
    static func start(_ program: String, _ arguments: [String], log: String) throws -> pid_t {
        var words = [program] + arguments
        if access(binder, X_OK) == 0 { words = [binder, "--pdeathsig", "KILL", "--"] + words }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for signal in [SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGTSTP] { sigaddset(&defaults, signal) }
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        var pid: pid_t = 0
        let error = posix_spawnp(&pid, words[0], &actions, &attributes, pointers, environ)
        guard error == 0 else {
            throw Failure.refused(
                "cannot start \(program): \(String(cString: strerror(error))). Is roostd installed beside roost?")
        }
        return pid
    }
}
