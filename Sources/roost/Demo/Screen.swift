import Glibc

/// The terminal while the demo draws on it: a screen of its own, no cursor, no echo, keys at once. What was there before
/// comes back with `restore()`, which any way out calls.
enum Screen {
    private nonisolated(unsafe) static var before: termios?
    private nonisolated(unsafe) static var isOpen = false

    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// The locale says that the terminal takes UTF-8.
    static var isUTF8: Bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(Files.environment).first ?? ""
        return locale.lowercased().contains("utf-8") || locale.lowercased().contains("utf8")
    }

    static func open() {
        guard !isOpen else { return }
        isOpen = true
        send("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J")
        var state = termios()
        guard isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &state) == 0 else { return }
        before = state
        state.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(STDIN_FILENO, TCSANOW, &state)
    }

    static func restore() {
        guard isOpen else { return }
        isOpen = false
        send("\u{1B}[?25h\u{1B}[?1049l")
        if var before { tcsetattr(STDIN_FILENO, TCSANOW, &before) }
        before = nil
    }

    /// Draws over what is there, in one write, so that nothing flickers.
    static func draw(_ lines: [StyledLine]) {
        let size = size
        var frame = "\u{1B}[?2026h\u{1B}[H"
        for (index, line) in lines.prefix(size.rows).enumerated() {
            if index > 0 { frame += "\r\n" }
            frame += line.rendered(width: size.columns, coloured: Terminal.hasColour) + "\u{1B}[K"
        }
        send(frame + "\u{1B}[J\u{1B}[?2026l")
    }

    private static func send(_ text: String) { Terminal.write(Array(text.utf8), to: STDOUT_FILENO) }
}
