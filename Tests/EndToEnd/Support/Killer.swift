import Glibc

/// Kills a roostd again and again, at moments of the load's progress that chance picks, and starts it again after a pause.
/// The test calls `step()` at every turn of the loop.
final class Killer {
    private enum State {
        case serving, due, down, starting
    }

    private unowned let scenario: Scenario
    private let roostd: Roostd
    private let signal: Int32
    /// Fractions of the load at which it is killed.
    private var moments: [Double]
    private let longestDelayMilliseconds: Int
    private let longestPauseMilliseconds: Int
    private var state = State.serving
    private(set) var kills = 0

    /// - Parameters:
    ///   - delay: after the moment of progress, at most this many milliseconds pass before the signal.
    ///   - pause: it stays down for at most this many milliseconds.
    init(
        _ roostd: Roostd, in scenario: Scenario, times: Int, signal: Int32 = SIGKILL, delay: Int = 30, pause: Int = 200
    ) {
        self.scenario = scenario
        self.roostd = roostd
        self.signal = signal
        longestDelayMilliseconds = delay
        longestPauseMilliseconds = pause
        moments = (0..<times).map { _ in Double.random(in: 0.01..<0.98, using: &scenario.random) }.sorted()
    }

    /// All kills are done, and it serves.
    var isDone: Bool { moments.isEmpty && state == .serving }

    /// - Parameter progress: of the load, 0 to 1.
    func step(_ progress: Double) throws {
        switch state {
        case .serving:
            guard let moment = moments.first, progress >= moment else { return }
            moments.removeFirst()
            state = .due
            after(longestDelayMilliseconds) { $0.strike() }
        case .due:
            break
        case .down:
            guard !roostd.isRunning, !isPausing else { return }
            let code = roostd.child?.exitCode
            try scenario.require(
                signal == SIGKILL || code == 0, "\(roostd.name) ended with \(code.map(String.init) ?? "a signal")")
            try roostd.launch()
            state = .starting
        case .starting:
            if try roostd.isServing() { state = .serving }
        }
    }

    private var isPausing = false

    private func strike() {
        kills += 1
        if signal == SIGKILL { roostd.kill() } else { roostd.child?.send(signal) }
        state = .down
        isPausing = true
        after(longestPauseMilliseconds) { $0.isPausing = false }
    }

    private func after(_ longest: Int, _ body: @escaping (Killer) -> Void) {
        let delay = Int.random(in: 0...longest, using: &scenario.random)
        scenario.loop.schedule(after: .milliseconds(delay)) { [weak self] in
            if let self { body(self) }
        }
    }
}
