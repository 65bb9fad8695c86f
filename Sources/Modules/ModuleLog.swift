import Broker
import EventLoop

/// What one module says, as lines of roostd's log: at the level that it begins with (`<3>` to `<7>`, as for journald), and not
/// more of them than a log can bear.
final class ModuleLog {
    /// Lines a second.
    static let most = 100
    /// An episode of too many ends when none was left out for this long.
    private static let silence = Duration.seconds(5)

    private let name: String
    private let loop: EventLoop
    private let log: (Severity, String) -> Void
    private var second: Instant
    private var count = 0
    private var leftOut: UInt64 = 0
    private var lastLeftOut: Instant
    /// The last line, for who asks why the module ended.
    private(set) var last = ""

    init(_ name: String, loop: EventLoop, log: @escaping (Severity, String) -> Void) {
        self.name = name
        self.loop = loop
        self.log = log
        second = loop.now
        lastLeftOut = loop.now
    }

    /// More comes than is logged.
    var isFlooded: Bool { count >= Self.most && loop.now - second < .seconds(1) }

    /// A new process begins.
    func begin() { last = "" }

    func take(_ line: [UInt8]) {
        let now = loop.now
        if now - second >= .seconds(1) {
            second = now
            count = 0
        }
        guard count < Self.most else { return leaveOut(now) }
        count += 1
        let (level, text) = Self.read(line)
        last = text
        log(level, "module \(name): \(text)")
    }

    private func leaveOut(_ now: Instant) {
        leftOut += 1
        lastLeftOut = now
        guard leftOut == 1 else { return }
        log(.warning, "module \(name): more than \(Self.most) lines a second; some are left out")
        watchForTheEnd()
    }

    private func watchForTheEnd() {
        loop.schedule(at: lastLeftOut + Self.silence) { [weak self] in
            guard let self else { return }
            guard loop.now - lastLeftOut >= Self.silence else { return watchForTheEnd() }
            log(.notice, "module \(name): \(leftOut) lines were left out")
            leftOut = 0
        }
    }

    static func read(_ line: [UInt8]) -> (Severity, String) {
        guard line.count >= 3, line[0] == UInt8(ascii: "<"), line[2] == UInt8(ascii: ">"),
            (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(line[1])
        else { return (.info, String(decoding: line, as: UTF8.self)) }
        let level: Severity
        switch line[1] {
        case ...UInt8(ascii: "3"): level = .error
        case UInt8(ascii: "4"): level = .warning
        case UInt8(ascii: "5"): level = .notice
        case UInt8(ascii: "6"): level = .info
        default: level = .debug
        }
        return (level, String(decoding: line[3...].drop { $0 == 0x20 }, as: UTF8.self))
    }
}
