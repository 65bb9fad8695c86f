import EventLoop
import Glibc

/// A roostd with its configuration, port and data directory, over as many runs as the test likes.
final class Roostd: Daemon {
    let name: String
    let port: UInt16
    let configuration: String
    let data: String
    private unowned let scenario: Scenario
    private(set) var child: Child?
    private(set) var runs = 0
    /// How large a file may grow in runs to come (RLIMIT_FSIZE), in units of 512 bytes; nil: as large as it likes.
    var fileLimit: Int?

    /// - Parameters:
    ///   - settings: added to the node's id, its data directory, a listener and the log's format.
    ///   - data: nil: a directory of its own.
    init(
        _ scenario: Scenario, name: String = "roostd", _ settings: String = "", data: String? = nil, port: UInt16? = nil
    ) throws {
        self.scenario = scenario
        self.name = name
        self.port = try port ?? Ports.free()
        self.data = data ?? scenario.directory.path(of: "\(name)-data")
        configuration = scenario.directory.path(of: "\(name).toml")
        try configure(settings)
        scenario.register(self)
    }

    /// For the runs to come.
    func configure(_ settings: String) throws {
        _ = try scenario.directory.write(
            "\(name).toml",
            """
            [node]
            id = "\(name)"
            data = "\(data)"
            [[listener]]
            bind = "127.0.0.1:\(port)"
            [log]
            format = "text"
            \(settings)
            """)
    }

    var endpoint: Endpoint { .tcp(host: "127.0.0.1", port: port) }
    var isRunning: Bool { child?.isRunning ?? false }

    /// Starts without waiting; `isServing` tells the rest.
    func launch() throws {
        runs += 1
        let words = [Programs.roostd, "-c", configuration]
        guard let fileLimit else {
            child = try scenario.spawn(words[0], Array(words[1...]), name: name)
            return
        }
        child = try scenario.spawn(
            "/bin/sh", ["-c", "ulimit -f \(fileLimit) && exec \"$@\"", "sh"] + words, name: name)
    }

    /// It listens and said so. Throws if it has ended instead.
    func isServing() throws -> Bool {
        guard let child else { return false }
        if child.errors.contains("serves node") { return true }
        if !child.isRunning { throw scenario.failure("\(name) did not start") }
        return false
    }

    func start() throws {
        try launch()
        try scenario.wait("\(name) to serve") { try isServing() }
    }

    /// SIGKILL.
    func kill() { child?.kill() }

    /// SIGTERM; returns the exit code.
    @discardableResult
    func stop() throws -> Int32 {
        guard let child else { return 0 }
        child.send(SIGTERM)
        return try scenario.finish(child)
    }

    var log: String { child?.errors ?? "" }

    var account: String { "\(name), run \(runs), " + (child?.account ?? "never started") }
}
