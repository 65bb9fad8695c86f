import EventLoop
import Glibc
import Testing

/// What one test works with: a directory, an event loop that the test turns itself, chance with a known seed, and the
/// programs it started, whose logs go into every failure.
///
/// Nothing in a test sleeps: it turns the loop until what it waits for has happened, or until a deadline that only says
/// that it never will. The machine may be slow and shared, so deadlines are generous.
final class Scenario {
    let directory: Directory
    let loop: EventLoop
    let network: SocketNetwork
    let seed: UInt64
    var random: SplitMix64
    private(set) var daemons: [any Daemon] = []
    private var children: [Child] = []
    private var endings: [() -> Void] = []
    private let started = ContinuousClock.now

    init() throws {
        signal(SIGPIPE, SIG_IGN)
        directory = try Directory()
        loop = try EventLoop()
        network = SocketNetwork(loop: loop)
        seed = environment("ROOST_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 1...999_999)
        random = SplitMix64(state: seed)
    }

    /// Ends all that it started. A test defers it, which also keeps the scenario alive until then.
    func end() {
        for child in children { child.kill() }
        daemons = []
        loop.tearDown()
        for body in endings.reversed() { body() }
    }

    /// Has `body` called when all programs have ended.
    func atEnd(_ body: @escaping () -> Void) { endings.append(body) }

    func register(_ daemon: any Daemon) { daemons.append(daemon) }

    /// Starts a program that ends with the scenario at the latest.
    ///
    /// - Parameter name: of its output files, `name.out` and `name.err`.
    func spawn(_ program: String, _ arguments: [String], name: String) throws -> Child {
        let child = try Child(program, arguments, name: name, in: directory)
        children.append(child)
        return child
    }

    // MARK: - Waiting

    /// Turns the loop until `condition` holds.
    func wait(_ what: String, for limit: Duration = .seconds(120), until condition: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + limit
        while try !condition() {
            guard ContinuousClock.now < deadline else { throw failure("waited \(limit) in vain: \(what)") }
            loop.tick(wait: .milliseconds(10))
        }
    }

    /// Waits for a program's end and returns its exit code.
    @discardableResult
    func finish(_ child: Child, for limit: Duration = .seconds(120)) throws -> Int32 {
        try wait("the end of \(child.account)", for: limit) { !child.isRunning }
        guard let code = child.exitCode else { throw failure("ended by a signal: \(child.account)") }
        return code
    }

    /// Runs a program to its end; any exit code but 0 fails.
    @discardableResult
    func run(_ program: String, _ arguments: [String], name: String = "command") throws -> String {
        let child = try spawn(program, arguments, name: name)
        guard try finish(child) == 0 else { throw failure("failed: \(child.account)") }
        return child.output
    }

    // MARK: - Failing

    func failure(_ text: String) -> Failure {
        var account =
            "\(text)\n(seed \(seed): ROOST_SEED=\(seed) repeats its choices; \(ContinuousClock.now - started) in)"
        for daemon in daemons { account += "\n--- \(daemon.account)" }
        return Failure(account)
    }

    /// With ROOST_VERBOSE=1, what a passing test found.
    func note(_ text: String) {
        if environment("ROOST_VERBOSE") != nil { print("seed \(seed), \(ContinuousClock.now - started): \(text)") }
    }

    /// Fails the test if `condition` doesn't hold.
    func require(_ condition: Bool, _ text: @autoclosure () -> String) throws {
        if !condition { throw failure(text()) }
    }
}

/// A program that serves until it is stopped, and may be started again in the same place.
protocol Daemon: AnyObject {
    var account: String { get }
}
