import EventLoop
import Glibc
import MQTT
import Synchronization

@testable import Access
@testable import Broker

/// A folder of rule files that goes with the test.
final class Files {
    let path: String

    init() {
        var template = Array("/tmp/roost-access-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    deinit {
        for name in ["passwd", "acl", "keys"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    @discardableResult
    func write(_ name: String, _ text: String, mode: mode_t = 0o600) -> String {
        let file = "\(path)/\(name)"
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        _ = Array(text.utf8).withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        fchmod(descriptor, mode)
        close(descriptor)
        return file
    }
}

/// Access control on virtual time, with a thread that works when it is told to.
final class Desk {
    let files = Files()
    let clock = VirtualClock()
    let loop: EventLoop
    let access: RuledAccess
    let listener: ListenerOptions
    var date: Int64? = 1_800_000_000_000
    var lines: [String] = []
    /// What became of each candidate, in the order of the answers.
    var answers: [String] = []
    private let thread = PretendedThread()

    init(
        anonymous: AnonymousPolicy = .never, names: NameSource = .none, _ change: (inout AccessSource, Files) -> Void
    ) throws {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        listener = ListenerOptions(anonymous: anonymous, namesClients: names)
        var source = AccessSource()
        change(&source, files)
        final class Box { weak var desk: Desk? }
        let box = Box()
        let thread = thread
        access = RuledAccess(try AccessRules(source), loop: loop, start: { thread.start($0) }, date: { box.desk?.date })
        box.desk = self
        access.logger = { [unowned self] _, line in lines.append(line) }
    }

    deinit { loop.tearDown() }

    var hasThread: Bool {
        get { thread.isThere }
        set { thread.isThere = newValue }
    }

    func rules(_ change: (inout AccessSource, Files) -> Void) throws -> AccessRules {
        var source = AccessSource()
        change(&source, files)
        return try AccessRules(source)
    }

    /// A candidate whose answer is noted; the identity, if it was let in at once.
    @discardableResult
    func knock(
        _ user: String?, _ password: String? = nil, client: String = "c", from peer: String = "10.0.0.1:1",
        certificate: PeerCertificate? = nil, credentials: PeerCredentials? = nil, bytes: Int = 100
    ) -> Answer {
        let answer = Answer()
        let candidate = Candidate(
            clientIdentifier: Array(client.utf8), userName: user.map { Array($0.utf8) },
            password: password.map { Array($0.utf8) }, peer: peer, listener: listener, certificate: certificate,
            credentials: credentials, byteCount: bytes)
        access.admit(candidate) { [unowned self] admission in
            switch admission {
            case .admitted(let identity):
                answer.identity = identity
                answers.append("\(client): user \(text(identity.userName))")
            case .refused(let reason, let why):
                answer.reason = reason
                answer.why = why
                answers.append("\(client): \(reason)")
            }
        }
        return answer
    }

    /// The thread does all its work, and the loop hears of it.
    func work() {
        thread.work()
        loop.tick(wait: .zero)
    }

    func advance(by duration: Duration) {
        let end = clock.now + duration
        while let next = loop.nextDeadline, next <= end {
            clock.advance(to: next)
            loop.tick(wait: .zero)
        }
        clock.advance(to: end)
        loop.tick(wait: .zero)
    }
}

final class Answer {
    var identity: ClientIdentity?
    var reason: ReasonCode?
    var why: String?
    var isThere: Bool { identity != nil || reason != nil }

    /// "rw", "r", "w" or "" for a topic.
    func allowed(_ topic: String) -> String {
        guard let identity else { return "-" }
        guard let rights = identity.rights else { return "rw" }
        return Array(topic.utf8).withUnsafeBytes {
            (rights.mayReceive($0) ? "r" : "") + (rights.mayPublish(to: $0) ? "w" : "")
        }
    }
}

/// Runs what a thread would, in the test's own.
private final class PretendedThread: Sendable {
    private let bodies = Mutex<[@Sendable () -> Void]>([])
    private let there = Mutex(true)

    var isThere: Bool {
        get { there.withLock { $0 } }
        set { there.withLock { $0 = newValue } }
    }

    func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        guard isThere else { return false }
        bodies.withLock { $0.append(body) }
        return true
    }

    func work() {
        let all = bodies.withLock { bodies in
            defer { bodies = [] }
            return bodies
        }
        for body in all { body() }
    }
}
