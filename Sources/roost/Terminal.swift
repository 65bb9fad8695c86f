import Glibc

/// Standard output and standard error: whole writes, and colour only where a person looks.
enum Terminal {
    static let outputIsTerminal = isatty(STDOUT_FILENO) == 1
    static let hasColour = outputIsTerminal && getenv("NO_COLOR") == nil

    enum Colour: String {
        case red = "31"
        case green = "32"
        case yellow = "33"
        case dim = "2"
        case bold = "1"
    }

    static func paint(_ text: String, _ colour: Colour?) -> String {
        guard let colour, hasColour, !text.isEmpty else { return text }
        return "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
    }

    static func say(_ text: String) {
        write(Array((text + "\n").utf8), to: STDOUT_FILENO)
    }

    static func complain(_ text: String) {
        write(Array((text + "\n").utf8), to: STDERR_FILENO)
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        bytes.withUnsafeBytes { _ = writeAll($0, to: descriptor) }
    }

    /// Writes everything, waiting as long as it takes; false when the reader is gone.
    static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if written > 0 {
                rest = rest.dropFirst(written)
            } else if errno == EAGAIN {
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = Glibc.poll(&poll, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    /// Asks a question that only `y` answers with yes; false at once where nobody can answer.
    static func confirms(_ question: String) -> Bool {
        guard isatty(STDIN_FILENO) == 1 else { return false }
        write(Array("\(question) [y/N] ".utf8), to: STDERR_FILENO)
        return readLine()?.lowercased().hasPrefix("y") ?? false
    }
}

extension String {
    /// On one line and without what a terminal obeys: Client Identifiers and topics are whatever somebody sent.
    var printable: String {
        guard unicodeScalars.contains(where: \.isControl) else { return self }
        return unicodeScalars.map { $0.isControl ? "\u{00B7}" : String($0) }.joined()
    }
}

extension Unicode.Scalar {
    /// C0, DEL and C1.
    fileprivate var isControl: Bool { value < 0x20 || (0x7F...0x9F).contains(value) }
}
