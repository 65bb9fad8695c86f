import Broker
import EventLoop
import MQTT

/// Access control by `[access]`: who a client is (its certificate, its user on this machine, its password or token, or
/// nobody), and what it may do then. Passwords are checked on another thread; what waits for it is bounded, and failures are
/// slowed by address.
public final class RuledAccess: AccessControl {
    private var rules: AccessRules
    private let loop: EventLoop
    private let worker: LoginWorker
    /// Milliseconds since 1970 UTC; nil: the date isn't known.
    private let date: () -> Int64?
    /// Takes lines for the log.
    public var logger: ((Severity, String) -> Void)?

    /// Of this node alone, and the same after a restart: what salt a user that isn't known is said to have.
    let secret: [UInt8]
    private var failures = FailedLogins()
    private var waiting: [UInt64: Waiting] = [:]
    private var waitingBytes = 0
    /// Refusals that are late, and the bytes of their CONNECTs.
    private var late = 0
    private var lateBytes = 0
    /// SCRAM exchanges under way, and the bytes of their CONNECTs.
    private var exchanges = 0
    private var exchangeBytes = 0
    private var lastNumber: UInt64 = 0
    private var flood = Episode()
    private var refused: [FailedLogins.Address: Episode] = [:]

    private struct Waiting {
        let candidate: Candidate
        let address: FailedLogins.Address
        let then: (Admission) -> Void
    }

    /// How a client has shown who it is, and so what may take that away.
    final class Proof {
        enum Kind {
            case anonymous
            case password(PasswordHash)
            case token(key: [UInt8], rules: [AccessRule])
            /// A certificate, a user of the system.
            case given
            /// A session of an earlier run, whose client hasn't come back.
            case restored
        }

        let kind: Kind

        init(_ kind: Kind) { self.kind = kind }
    }

    /// CONNECTs that wait for the thread, and their bytes.
    static let mostWaiting = 1000
    static let mostWaitingBytes = 4 << 20
    private static let mostEpisodes = 1000

    /// - Parameter secret: random bytes that nobody else knows.
    public convenience init(
        _ rules: AccessRules, loop: EventLoop, secret: [UInt8], date: @escaping () -> Int64?
    ) {
        self.init(rules, loop: loop, secret: secret, start: LoginWorker.background, date: date)
    }

    /// - Parameter start: as `LoginWorker`'s.
    init(
        _ rules: AccessRules, loop: EventLoop, secret: [UInt8] = [],
        start: @escaping @Sendable (@escaping @Sendable () -> Void) -> Bool, date: @escaping () -> Int64?
    ) {
        self.rules = rules
        self.secret = secret
        self.loop = loop
        self.date = date
        let answers = AnswerBox()
        let mailbox = Mailbox<(number: UInt64, verdict: LoginCheck.Verdict)>(loop: loop) {
            answers.access?.answer($0.number, $0.verdict)
        }
        worker = LoginWorker(start: start) { mailbox.post((number: $0, verdict: $1)) }
        answers.access = self
    }

    private final class AnswerBox { weak var access: RuledAccess? }

    /// The rules that hold from now on. Clients that are connected: `Broker.accessChanged()`.
    public func replace(_ rules: AccessRules) { self.rules = rules }

    // MARK: - Coming in

    public func admit(_ candidate: Candidate, then: @escaping (Admission) -> Void) {
        if let certificate = candidate.certificate, let name = candidate.certificateName(certificate) {
            return then(admission(candidate, name))
        }
        if let credentials = candidate.credentials {
            return check(.peer(user: credentials.user), candidate, then)
        }
        if rules.knowsLogins, candidate.userName != nil || (candidate.password != nil && rules.tokens != nil) {
            let claim = LoginCheck.Claim.login(name: candidate.userName, password: candidate.password)
            return check(claim, candidate, then)
        }
        if case .refused(let reason, let why)? = candidate.anonymousRefusal {
            return then(.refused(reason, why: news(of: candidate, why)))
        }
        then(.admitted(identity(candidate, [], Proof(.anonymous))))
    }

    /// SCRAM, where somebody has a verifier for it. Whom a certificate or a socket names has shown already who it is.
    public func authentication(by method: String, of candidate: Candidate) -> (any Authentication)? {
        let isNamed =
            candidate.credentials != nil || candidate.certificate.map { candidate.certificateName($0) != nil } == true
        guard method == ScramLogin.method, rules.scramShape != nil, !isNamed else { return nil }
        return ScramLogin(candidate, rules, self)
    }

    /// A verified certificate names a client, or lets it not in: one without a name is nobody's.
    private func admission(_ candidate: Candidate, _ name: String?) -> Admission {
        guard let name, !name.isEmpty else {
            return .refused(
                .notAuthorized, why: news(of: candidate, "its certificate has not what tls.user_from asks for"))
        }
        return .admitted(identity(candidate, Array(name.utf8), Proof(.given)))
    }

    private func check(_ claim: LoginCheck.Claim, _ candidate: Candidate, _ then: @escaping (Admission) -> Void) {
        let address = FailedLogins.Address(candidate.peer)
        guard waiting.count < Self.mostWaiting, waitingBytes + candidate.byteCount <= Self.mostWaitingBytes else {
            return then(.refused(.serverUnavailable, why: noteFlood()))
        }
        guard failures.begin(address, at: loop.now) else { return then(.refused(.connectionRateExceeded, why: nil)) }
        lastNumber += 1
        waiting[lastNumber] = Waiting(candidate: candidate, address: address, then: then)
        waitingBytes += candidate.byteCount
        let check = LoginCheck(claim: claim, rules: rules, now: date())
        guard worker.submit(LoginWorker.Job(number: lastNumber, check: check)) else {
            _ = take(lastNumber)
            failures.end(address)
            return then(.refused(.serverUnavailable, why: "no thread to check its login"))
        }
    }

    private func take(_ number: UInt64) -> Waiting? {
        guard let one = waiting.removeValue(forKey: number) else { return nil }
        waitingBytes -= one.candidate.byteCount
        return one
    }

    private func answer(_ number: UInt64, _ verdict: LoginCheck.Verdict) {
        guard let one = take(number) else { return }
        switch verdict {
        case .refused(let why): fail(one, why)
        case .peer(let name): admit(one, as: identity(one.candidate, name, Proof(.given)))
        case .user(let name, let hash): admit(one, as: identity(one.candidate, name, Proof(.password(hash))))
        case .token(let grant):
            let proof = Proof(.token(key: grant.key, rules: grant.rules))
            admit(one, as: identity(one.candidate, grant.userName, proof, validUntil: grant.validUntil))
        }
    }

    private func admit(_ one: Waiting, as identity: ClientIdentity) {
        // The rules may have changed while it waited.
        guard let current = review(identity) else {
            return fail(one, "user \(text(identity.userName)): no longer known")
        }
        failures.end(one.address)
        one.then(.admitted(current))
    }

    // MARK: - SCRAM

    /// An exchange begins; or why it may not.
    func beginExchange(_ address: PeerAddress, _ byteCount: Int) -> AuthenticationStep? {
        guard exchanges < Self.mostWaiting, exchangeBytes + byteCount <= Self.mostWaitingBytes else {
            return .refused(.serverUnavailable, why: noteFlood())
        }
        guard failures.begin(address, at: loop.now) else { return .refused(.connectionRateExceeded, why: nil) }
        exchanges += 1
        exchangeBytes += byteCount
        return nil
    }

    /// ... and is over, without a failure.
    func endExchange(_ address: PeerAddress, _ byteCount: Int) {
        leaveExchange(byteCount)
        failures.end(address)
    }

    private func leaveExchange(_ byteCount: Int) {
        exchanges -= 1
        exchangeBytes -= byteCount
    }

    func fail(
        exchange candidate: Candidate, _ address: PeerAddress, _ why: String,
        _ then: @escaping (AuthenticationStep) -> Void
    ) {
        leaveExchange(candidate.byteCount)
        let one = Waiting(candidate: candidate, address: address) { admission in
            guard case .refused(_, let why) = admission else { return }
            then(.refused(.notAuthorized, why: why))
        }
        fail(one, why)
    }

    /// nil: its user, or the verifier that it has shown to know, is no longer there.
    func identity(_ candidate: Candidate, _ userName: [UInt8], _ hash: PasswordHash) -> ClientIdentity? {
        review(identity(candidate, userName, Proof(.password(hash))))
    }

    private func fail(_ one: Waiting, _ why: String) {
        let consequence = failures.fail(one.address, at: loop.now)
        let client = text(one.candidate.clientIdentifier)
        if consequence.beginsSlowing {
            logger?(
                .warning,
                "\(one.candidate.peer): \(FailedLogins.free + 1) failed logins from this address; refusals to it are late now, "
                    + "by up to \(FailedLogins.longestDelay) s")
        }
        let refusal = Admission.refused(
            .badUserNameOrPassword, why: consequence.isNews ? "client \(client), \(why)" : nil)
        // Being late must not cost memory without end: where too many are, it is told at once.
        let isLate = consequence.delay > .zero && late < Self.mostWaiting
        guard isLate, lateBytes + one.candidate.byteCount <= Self.mostWaitingBytes else {
            failures.end(one.address)
            return one.then(refusal)
        }
        late += 1
        lateBytes += one.candidate.byteCount
        loop.schedule(after: consequence.delay) { [weak self] in
            guard let self else { return }
            late -= 1
            lateBytes -= one.candidate.byteCount
            failures.end(one.address)
            one.then(refusal)
        }
    }

    private func noteFlood() -> String? {
        guard flood.begins(at: loop.now) else { return nil }
        return "too many logins wait to be checked; it may try again"
    }

    /// What a refusal is about, at the first of an episode.
    private func news(of candidate: Candidate, _ why: String?) -> String? {
        let address = FailedLogins.Address(candidate.peer)
        if refused.count >= Self.mostEpisodes { refused.removeAll() }
        guard refused[address, default: Episode()].begins(at: loop.now) else { return nil }
        return "client \(text(candidate.clientIdentifier)), \(why ?? "not let in")"
    }

    // MARK: - Identities

    private func identity(
        _ candidate: Candidate, _ userName: [UInt8], _ proof: Proof, validUntil: Int64? = nil
    ) -> ClientIdentity {
        identity(candidate.clientIdentifier, userName, proof, validUntil: validUntil)
    }

    private func identity(
        _ clientIdentifier: [UInt8], _ userName: [UInt8], _ proof: Proof, validUntil: Int64? = nil
    ) -> ClientIdentity {
        var granted: [AccessRule]?
        if case .token(_, let own) = proof.kind, rules.tokens?.grantTopics == true { granted = own }
        return ClientIdentity(
            clientIdentifier: clientIdentifier, userName: userName,
            rights: rules.rights(userName: userName, clientIdentifier: clientIdentifier, granted: granted),
            validUntil: validUntil, proof: proof)
    }

    public func review(_ identity: ClientIdentity) -> ClientIdentity? {
        guard let proof = identity.proof as? Proof else { return identity }
        switch proof.kind {
        case .anonymous, .given: break
        case .restored: return restored(clientIdentifier: identity.clientIdentifier, userName: identity.userName)
        case .password(let hash): guard rules.passwords[identity.userName] == hash else { return nil }
        case .token(let key, _): guard rules.tokens?.trusts(key: key) == true else { return nil }
        }
        return self.identity(
            identity.clientIdentifier, identity.userName, proof, validUntil: identity.validUntil)
    }

    /// What a token granted isn't kept: until its bearer is back, what its subscriptions ask for waits for it.
    public func restored(clientIdentifier: [UInt8], userName: [UInt8]) -> ClientIdentity {
        let proof = Proof(.restored)
        let mayHaveToken = rules.tokens?.grantTopics == true && !userName.isEmpty && rules.passwords[userName] == nil
        guard !mayHaveToken else {
            return ClientIdentity(clientIdentifier: clientIdentifier, userName: userName, proof: proof)
        }
        return identity(clientIdentifier, userName, proof)
    }
}

extension Candidate {
    /// nil: a certificate doesn't name clients here; `.some(nil)`: it should, and has no such name.
    fileprivate func certificateName(_ certificate: PeerCertificate) -> String?? {
        switch listener.namesClients {
        case .none, .peer: nil
        case .commonName: .some(certificate.commonName)
        case .subject: .some(certificate.subject)
        case .alternativeName: .some(certificate.alternativeName)
        }
    }
}
