import Broker
import Configuration
import EventLoop
import Glibc

/// Lines to standard error: text on a terminal, JSON where it is asked for, levels as journald reads them under systemd.
final class Logger {
    private enum Form { case text, journal, json }

    private let form: Form
    var level: Severity
    private let clock: any Clock

    init(_ settings: LogSettings, clock: any Clock) {
        switch settings.format {
        case .json: form = .json
        case .text: form = .text
        case .auto: form = getenv("JOURNAL_STREAM") != nil ? .journal : .text
        }
        level = Severity(settings.level)
        self.clock = clock
    }

    func log(_ level: Severity, _ line: String) {
        guard level >= self.level else { return }
        var text: String
        let line = form == .json ? line : withoutControls(line)
        switch form {
        case .text: text = "\(time()) \(level.word.padded(to: 7)) \(line)\n"
        case .journal: text = "<\(level.journalPriority)>\(line)\n"
        case .json: text = "{\"time\":\"\(time())\",\"level\":\"\(level.word)\",\"message\":\"\(escaped(line))\"}\n"
        }
        text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// RFC 3339 UTC, to the millisecond.
    private func time() -> String { CivilTime(milliseconds: clock.wallMilliseconds).preciseText }

    /// Names come from clients: what would begin a new line, or steer a terminal, is written out.
    private func withoutControls(_ line: String) -> String {
        guard line.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return line }
        var result = ""
        for scalar in line.unicodeScalars {
            if scalar.properties.generalCategory == .control {
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private func escaped(_ line: String) -> String {
        var result = ""
        for scalar in line.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension Severity {
    init(_ level: LogLevel) {
        switch level {
        case .trace: self = .trace
        case .debug: self = .debug
        case .info: self = .info
        case .notice: self = .notice
        case .warning: self = .warning
        case .error: self = .error
        }
    }

    fileprivate var word: String {
        switch self {
        case .trace: "trace"
        case .debug: "debug"
        case .info: "info"
        case .notice: "notice"
        case .warning: "warning"
        case .error: "error"
        }
    }

    /// syslog's, as sd-daemon(3) has them.
    fileprivate var journalPriority: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        utf8.count >= width ? self : self + String(repeating: " ", count: width - utf8.count)
    }
}
