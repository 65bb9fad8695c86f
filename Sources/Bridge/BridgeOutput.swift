import Glibc

/// What a module says: lines on standard error become lines of roostd's log, under the module's name.
package enum BridgeOutput {
    /// By the numbers that journald reads.
    package enum Level: Int {
        case error = 3
        case warning, notice, info, debug
    }

    package static func log(_ level: Level, _ line: String) { write("<\(level.rawValue)>\(line)\n", to: STDERR_FILENO) }

    /// The answer to `--check` or `--version`.
    package static func say(_ line: String) { write("\(line)\n", to: STDOUT_FILENO) }

    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
