import Access
import ArgumentParser
import CLinux
import Glibc

/// `roost passwd FILE USER`.
struct PasswordCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwd",
        abstract: "Add, change or delete a user in a password file.",
        discussion: """
            The file is mosquitto_passwd's, for access.password_file. It is made with
            mode 0600 if it is not there, and replaced whole. roostd reads it at the
            start and on `roost reload`. With - for FILE the hash is printed, for
            [[access.user]].

            EXAMPLES
              roost passwd /etc/roost/passwd sensor-7     asks twice
              roost passwd /etc/roost/passwd sensor-7 <secret.txt
              roost passwd -D /etc/roost/passwd sensor-7  delete
              roost passwd - sensor-7                     print the hash
              roost passwd --scram /etc/roost/passwd app  for SCRAM-SHA-256 too
            """)

    @Flag(name: [.customShort("D"), .long], help: "Delete the user.")
    var delete = false

    @Option(help: ArgumentHelp("Rounds of PBKDF2: more are slower to guess, and to check.", valueName: "number"))
    var iterations = PasswordHash.usualIterations

    @Flag(help: "Also for logins by SCRAM-SHA-256, which never send the password. mosquitto can't read it.")
    var scram = false

    @Argument(help: "The password file; -: print the hash.")
    var file: String

    @Argument(help: "The user's name.")
    var user: String

    func validate() throws {
        if let problem = PasswordFile.problem(ofName: user) { throw ValidationError(problem) }
        guard PasswordHash.allowedIterations.contains(iterations) else {
            throw ValidationError(
                "--iterations: \(PasswordHash.allowedIterations.lowerBound) to \(PasswordHash.allowedIterations.upperBound)"
            )
        }
        guard file != "-" || !delete else { throw ValidationError("--delete: of which file?") }
    }

    func run() throws {
        guard file != "-" else {
            Terminal.say(try hash().text)
            return
        }
        let target = ReplacedFile(file)
        let before = try target.read()
        guard !delete else { return try remove(from: target, before) }
        // What is no password file is not written over.
        let known = PasswordFile(before ?? [], path: file)
        if let problem = known.problems.first { throw Failure.refused("\(problem); nothing was changed") }
        let hash = try hash()
        let (bytes, wasThere) = PasswordFile.replacing(user, by: hash, in: before ?? [])
        try target.replace(with: bytes)
        Terminal.say(
            "\(user) \(wasThere ? "has a new password" : "is added") in \(file). Have roostd read it: roost reload")
    }

    private func hash() throws -> PasswordHash {
        let password = try PasswordEntry.read(for: user)
        guard scram else { return PasswordHash(of: password, iterations: iterations) }
        guard PasswordHash.isPlain(password) else {
            throw Failure.refused(
                "--scram takes passwords of ASCII letters, digits and signs alone: of others clients make different things; "
                    + "nothing was changed")
        }
        return PasswordHash(scramOf: password, iterations: iterations)
    }

    private func remove(from target: ReplacedFile, _ before: [UInt8]?) throws {
        guard let before else { throw Failure.refused("\(file) is not there") }
        let (bytes, wasThere) = PasswordFile.replacing(user, by: nil, in: before)
        guard wasThere else { throw Failure.refused("\(file) has no user \(user)") }
        try target.replace(with: bytes)
        Terminal.say("\(user) is deleted from \(file). Have roostd read it: roost reload")
    }
}

/// A password as a person gives it.
enum PasswordEntry {
    private static let longest = 65_535

    /// From the terminal, twice and unseen; else the first line of standard input.
    static func read(for user: String) throws -> [UInt8] {
        guard isatty(STDIN_FILENO) == 1 else {
            guard let line = line() else { throw Failure.usage("no password on standard input") }
            return try checked(line)
        }
        let first = try ask("Password for \(user): ")
        let second = try ask("Again: ")
        guard first == second else { throw Failure.refused("the two passwords differ; nothing was changed") }
        return try checked(first)
    }

    private static func checked(_ password: [UInt8]) throws -> [UInt8] {
        guard !password.isEmpty else { throw Failure.refused("an empty password; nothing was changed") }
        guard password.count <= longest else { throw Failure.refused("MQTT has no passwords above \(longest) bytes") }
        return password
    }

    private static func ask(_ question: String) throws -> [UInt8] {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { throw Failure.usage("the terminal doesn't answer") }
        // Ctrl-C must not leave the terminal without echo: it waits until the terminal is as it was.
        var signals = sigset_t()
        var unblocked = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGQUIT, SIGTSTP, SIGHUP] { sigaddset(&signals, signal) }
        sigprocmask(SIG_BLOCK, &signals, &unblocked)
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        // Ctrl-C ends the line as Enter does, and is seen below.
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        Terminal.write(Array(question.utf8), to: STDERR_FILENO)
        let answer = interruptibleLine(signals)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
        Terminal.write([0x0A], to: STDERR_FILENO)
        sigprocmask(SIG_SETMASK, &unblocked, nil)
        guard let answer else { throw Failure.refused("nothing was changed") }
        return answer
    }

    /// A line of the terminal; nil: it is at its end, or somebody wants the command to end.
    private static func interruptibleLine(_ signals: sigset_t) -> [UInt8]? {
        var signals = signals
        let descriptor = signalfd(-1, &signals, Int32(O_CLOEXEC))
        defer { close(descriptor) }
        var waits = [
            pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&waits, descriptor >= 0 ? 2 : 1, -1) < 0 {
            if errno != EINTR { return nil }
        }
        return waits[1].revents == 0 ? line() : nil
    }

    /// Without its end; nil: there is none.
    private static func line() -> [UInt8]? {
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while Glibc.read(STDIN_FILENO, &byte, 1) == 1 {
            if byte == 0x0A { return line.last == 0x0D ? line.dropLast() : line }
            line.append(byte)
            if line.count > longest + 1 { break }
        }
        return line.isEmpty ? nil : line
    }
}
