import Glibc

/// What must not outlive the demo or the proof, however it ends: its processes, its directory, and the terminal's state. `cleanUp` is
/// registered with atexit(3); it runs on the main thread, the only one that touches this.
enum Leftovers {
    private nonisolated(unsafe) static var processes: Set<pid_t> = []
    private nonisolated(unsafe) static var directories: [String] = []
    private nonisolated(unsafe) static var mounts: [String] = []
    private nonisolated(unsafe) static var isRegistered = false

    static func add(process: pid_t) {
        register()
        processes.insert(process)
    }

    static func remove(process: pid_t) { processes.remove(process) }

    static func add(directory path: String) {
        register()
        directories.append(path)
    }

    /// A file system that we have mounted.
    static func add(mount path: String) {
        register()
        mounts.append(path)
    }

    static func cleanUp() {
        Screen.restore()
        // Each leads a group of its own.
        for process in processes { kill(-process, SIGKILL) }
        for process in processes { waitpid(process, nil, 0) }
        processes = []
        for mount in mounts { umount2(mount, Int32(MNT_DETACH)) }
        mounts = []
        for directory in directories { Files.removeAll(directory) }
        directories = []
    }

    /// Whoever looks for the cause of a failure wants to see it.
    static func keepDirectories() { directories = [] }

    private static func register() {
        guard !isRegistered else { return }
        isRegistered = true
        atexit { Leftovers.cleanUp() }
    }
}
