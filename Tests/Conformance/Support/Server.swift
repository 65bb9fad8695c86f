import Glibc
import Synchronization

/// A roostd that many tests share: each of them has clients and topics of its own. It is started when it is first needed, and
/// ends with the tests.
final class Server: Sendable {
    /// As it is without a configuration.
    static let plain = Server("plain", "")
    /// Offers less than MQTT has: what a client may not do there is refused.
    static let modest = Server(
        "modest",
        """
        [limits]
        qos = 1
        retain = false
        topic_aliases = 0
        empty_client_id = false
        packet = "1KiB"
        keep_alive = 20
        [ingest]
        enabled = true
        """)
    /// Lets nobody in without a login, and knows of none.
    static let closed = Server("closed", anonymous: "never", "")

    /// Knows one user, with a verifier for SCRAM-SHA-256: the one of RFC 7677 §3, whose password is "pencil".
    static let scram = Server(
        "scram",
        """
        [access]
        [[access.user]]
        name = "user"
        password = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$\
        WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        publish = ["#"]
        subscribe = ["#"]
        """)

    let port: UInt16
    private let text: String

    private struct Running: @unchecked Sendable {
        let directory: Directory
        let child: Child
    }
    /// Kept until the process ends.
    private static let running = Mutex<[Running]>([])

    private init(_ name: String, anonymous: String = "loopback", _ settings: String) {
        var failure = ""
        var port: UInt16 = 0
        do {
            port = try Ports.free()
            try Self.start(name, port, anonymous, settings)
        } catch { failure = "\(error)" }
        self.port = port
        text = failure
    }

    /// Throws why it isn't there.
    func expectRunning() throws { if !text.isEmpty { throw Failure(text) } }

    private static func start(_ name: String, _ port: UInt16, _ anonymous: String, _ settings: String) throws {
        signal(SIGPIPE, SIG_IGN)
        let directory = try Directory()
        let file = try directory.write(
            "\(name).toml",
            """
            [node]
            id = "conformance"
            data = "\(directory.path)/data"
            [[listener]]
            bind = "127.0.0.1:\(port)"
            anonymous = "\(anonymous)"
            \(settings)
            """)
        let child = try Child(Programs.roostd, ["-c", file], name: name, in: directory)
        running.withLock {
            if $0.isEmpty { atexit { Server.endAll() } }
            $0.append(Running(directory: directory, child: child))
        }
        let deadline = ContinuousClock.now + .seconds(120)
        while !child.errors.contains("serves node") {
            guard child.isRunning, ContinuousClock.now < deadline else {
                throw Failure("roostd did not start: \(child.account)")
            }
            usleep(5000)
        }
    }

    private static func endAll() {
        running.withLock {
            for one in $0 { one.child.kill() }
            $0 = []
        }
    }
}
