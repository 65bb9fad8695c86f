import Broker
import CLinux
import Configuration
import EventLoop
import Glibc

/// One module: its process, started again whenever it ends, and what is known of its connection.
///
/// It is well while it is connected. Who isn't soon after the start, or has been away for long (`ModulePatience`), is ended and
/// started again: its process may live and do nothing. One that hangs while it is connected loses its connection by its Keep
/// Alive.
final class Module: Attendance {
    /// What follows when its process has ended.
    private enum Intention {
        /// It is started again, after a wait.
        case goOn
        /// It is started again at once.
        case renew
        case stop(() -> Void)
    }

    /// What its next process will be started with.
    private(set) var settings: ModuleSettings
    private(set) var state = ModuleReport.State.stopped
    private(set) var restarts: UInt64 = 0
    private(set) var error: String?
    private var hasStarted = false
    private var backoff: Backoff
    private var intention = Intention.goOn
    /// The last line about a start that failed.
    private var told = ""
    /// Why we have ended it.
    private var cause: String?
    /// The password of its process; nil: it has none.
    private(set) var password: [UInt8]?

    private unowned let host: ModuleHost
    private var loop: EventLoop { host.loop }
    private let log: ModuleLog
    private var child: ChildProcess?
    /// What its connection over descriptor 3 may do.
    private let door: ListenerOptions
    private var connections = 0
    /// For the next start, a missing connection, or the end of our patience.
    private var timer = Timer.none
    /// Since it runs, until it may be said to run well.
    private var wellTimer = Timer.none

    init(_ settings: ModuleSettings, host: ModuleHost) {
        self.settings = settings
        self.host = host
        backoff = Backoff(min: settings.restart.min, max: settings.restart.max)
        log = ModuleLog(settings.name, loop: host.loop, log: host.log)
        door = ListenerOptions(anonymous: .always, limits: host.limits, isInternal: true)
        door.attendance = self
    }

    var report: ModuleReport {
        ModuleReport(
            name: settings.name, program: settings.program, state: state, pid: child?.process, restarts: restarts,
            error: error)
    }

    // MARK: - What it is told

    func start() {
        guard child == nil else { return }
        loop.cancel(timer)
        intention = .goOn
        cause = nil
        if hasStarted { restarts += 1 }
        hasStarted = true
        state = .starting
        do throws(ModuleFailure) {
            try launch()
        } catch {
            return cannotStart(error)
        }
        log.begin()
        told = ""
        say(.info, "started, process \(child?.process ?? 0)")
        let patience = host.patience.connect
        timer = loop.schedule(after: patience) { [weak self] in
            self?.terminate(because: "it was not connected within \(patience.words) of its start")
        }
    }

    /// Ends it if it runs, and starts it at once, with other settings or the same.
    func restart(with settings: ModuleSettings? = nil) {
        adopt(settings ?? self.settings)
        guard child != nil else { return start() }
        intention = .renew
        terminate(because: nil)
    }

    /// Settings that a running process need not know.
    func adopt(_ settings: ModuleSettings) {
        self.settings = settings
        backoff = Backoff(min: settings.restart.min, max: settings.restart.max)
    }

    /// Ends it for good.
    ///
    /// - Parameter then: called once, at once or later, when its process has ended and what it has sent has been taken.
    func stop(within grace: Duration? = nil, then: @escaping () -> Void) {
        guard child != nil else {
            loop.cancel(timer)
            state = .stopped
            return then()
        }
        intention = .stop(then)
        terminate(because: nil, within: grace)
    }

    // MARK: - Its connection

    func clientDidArrive(_ identity: ClientIdentity) {
        connections += 1
        guard child != nil, state == .starting || state == .running else { return }
        loop.cancel(timer)
        guard state == .starting else { return }
        state = .running
        wellTimer = loop.schedule(after: max(settings.restart.max, .seconds(1))) { [weak self] in
            guard let self, state == .running else { return }
            backoff.reset()
            error = nil
        }
    }

    func clientDidLeave(_ identity: ClientIdentity) {
        connections -= 1
        guard connections == 0 else { return }
        if child == nil, case .stop = intention { return finishStopping() }
        guard child != nil, state == .running else { return }
        let patience = host.patience.away
        timer = loop.schedule(after: patience) { [weak self] in
            self?.terminate(because: "its connection was gone for \(patience.words)")
        }
    }

    // MARK: - Its end

    /// SIGTERM, and SIGKILL when that was to no avail.
    private func terminate(because reason: String?, within grace: Duration? = nil) {
        guard let child else { return }
        let grace = grace ?? host.patience.end
        if let reason {
            cause = reason
            error = reason
            say(.warning, "is ended: \(reason)")
        }
        state = .stopping
        child.send(SIGTERM)
        loop.cancel(timer)
        timer = loop.schedule(after: grace) { [weak self] in
            guard let self, let child = self.child else { return }
            say(.warning, "did not end within \(grace.words) of SIGTERM, and is killed")
            child.killGroup()
        }
    }

    private func didEnd(_ ending: ChildProcess.Ending) {
        child = nil
        password = nil
        loop.cancel(timer)
        loop.cancel(wellTimer)
        switch intention {
        case .renew: start()
        case .stop:
            say(.info, "stopped")
            guard connections > 0 else { return finishStopping() }
            // What it sent last is still being read.
            timer = loop.schedule(after: .seconds(1)) { [weak self] in self?.finishStopping() }
        case .goOn:
            let words = log.last.isEmpty ? "" : "; its last line: \(log.last.prefix(200))"
            error = cause ?? "\(ending)\(words)"
            wait(.waiting, backoff.next(random: .random(in: 0..<1)))
        }
    }

    private func finishStopping() {
        guard case .stop(let then) = intention else { return }
        intention = .goOn
        loop.cancel(timer)
        state = .stopped
        then()
    }

    private func cannotStart(_ failure: ModuleFailure) {
        error = failure.text
        password = nil
        if failure.isPassing {
            wait(.waiting, backoff.next(random: .random(in: 0..<1)))
        } else {
            wait(.failed, backoff.longest(random: .random(in: 0..<1)))
        }
    }

    /// - Parameter state: why it waits.
    private func wait(_ state: ModuleReport.State, _ time: Duration) {
        self.state = state
        let text = "\(state == .failed ? "cannot be started" : "ended"): \(error ?? "")"
        // What fails without end is told once.
        let isNews = state == .waiting || text != told
        say(!isNews ? .debug : state == .failed ? .error : .warning, "\(text); next start in \(time.words)")
        told = text
        timer = loop.schedule(after: time) { [weak self] in self?.start() }
    }

    private func say(_ level: Severity, _ text: String) { host.log(level, "module \(settings.name): \(text)") }

    // MARK: - Its start

    private func launch() throws(ModuleFailure) {
        var launch = try ModuleLaunch(settings, host.surroundings).launch
        let socket = try host.socketPath(for: launch.user)
        let password = ModulePassword.make()
        launch.environment["ROOST_MQTT_FD"] = "3"
        launch.environment["ROOST_MQTT_URL"] = "unix:\(socket)"
        launch.environment["ROOST_MQTT_USERNAME"] = "module:\(settings.name)"
        launch.environment["ROOST_MQTT_PASSWORD"] = String(decoding: password, as: UTF8.self)
        var ends: [Int32] = [-1, -1]
        guard linux_socket_pair(&ends) == 0 else {
            throw ModuleFailure("socketpair: \(errorText(errno))", isPassing: true)
        }
        let ours = Descriptor(ends[0])
        let theirs = Descriptor(ends[1])
        launch.connection = theirs.number
        do throws(ChildProcess.Failure) {
            let child = try ChildProcess(
                launch, on: loop, output: { [log] in log.take($0) }, errors: { [log] in log.take($0) },
                ended: { [weak self] in self?.didEnd($0) })
            child.output.isSlowed = { [log] in log.isFlooded }
            child.errors.isSlowed = { [log] in log.isFlooded }
            self.child = child
        } catch {
            throw ModuleFailure("\(error)", isPassing: error.isPassing)
        }
        _ = consume theirs
        self.password = password
        host.accept(ours, door, peer: "module:\(settings.name)")
    }
}

/// How long modules are waited for.
struct ModulePatience {
    /// From the start to the connection.
    var connect = Duration.seconds(30)
    /// Without a connection.
    var away = Duration.seconds(10)
    /// From SIGTERM to SIGKILL.
    var end = Duration.seconds(5)
}

/// Why a module can't be started.
struct ModuleFailure: Error {
    let text: String
    /// Trying again soon may help.
    let isPassing: Bool

    init(_ text: String, isPassing: Bool = false) {
        self.text = text
        self.isPassing = isPassing
    }
}

extension Duration {
    /// "300 ms", "1.5 s", "5 s".
    var words: String {
        let seconds = Double(components.seconds) + Double(components.attoseconds) / 1e18
        guard seconds >= 1 else { return "\(Int(seconds * 1000 + 0.5)) ms" }
        let tenths = Int(seconds * 10 + 0.5)
        return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
    }
}
