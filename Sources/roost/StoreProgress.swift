import Glibc

/// How far long work has come, how fast it goes and how long it will take, on one line of a terminal that is written over.
final class StoreProgress {
    private let unit: String
    private let isShown = isatty(STDERR_FILENO) == 1
    private var isOpen = false
    private let started = ContinuousClock.now
    private var shownAt = ContinuousClock.now - .seconds(1)

    init(_ unit: String) { self.unit = unit }

    func show(_ done: Int, of all: Int) {
        let now = ContinuousClock.now
        guard isShown, all > 0, now - shownAt >= .milliseconds(100) else { return }
        isOpen = true
        shownAt = now
        let line = Self.line(done, of: all, unit, after: now - started)
        Terminal.write(Array("\r\u{1B}[K\(line)".utf8), to: STDERR_FILENO)
    }

    func end() {
        guard isOpen else { return }
        Terminal.write(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO)
    }

    /// "25 %  1,000 of 4,000 messages, 500/s, 6 s left".
    static func line(_ done: Int, of all: Int, _ unit: String, after elapsed: Duration) -> String {
        let counts = "\(Quantities.count(Int64(done))) of \(Quantities.count(Int64(all))) \(unit)"
        let line = "\(done * 100 / all) %  \(counts)"
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        guard done > 0, seconds > 0 else { return line }
        let rate = Double(done) / seconds
        let left = Quantities.duration(seconds: (Double(all - done) / rate).rounded())
        return "\(line), \(Quantities.count(Int64(rate.rounded())))/s, \(left) left"
    }
}
