import Glibc

/// What must not outlive the demo, however it ends: its processes, its directory, and the terminal's state. `cleanUp` is
/// registered with atexit(3); it runs on the main thread, the only one that touches this.
enum Leftovers {
    private nonisolated(unsafe) static var processes: Set<pid_t> = []
    private nonisolated(unsafe) static var directory: String?
    private nonisolated(unsafe) static var isRegistered = false

    static func add(process: pid_t) {
        register()
        processes.insert(process)
    }

    static func remove(process: pid_t) { processes.remove(process) }

    static func add(directory path: String) {
        register()
        directory = path
    }

    static func cleanUp() {
        Screen.restore()
        for process in processes { kill(process, SIGKILL) }
        for process in processes { waitpid(process, nil, 0) }
        processes = []
        if let directory { Files.removeAll(directory) }
        directory = nil
    }

    private static func register() {
        guard !isRegistered else { return }
        isRegistered = true
        atexit { Leftovers.cleanUp() }
    }
}
