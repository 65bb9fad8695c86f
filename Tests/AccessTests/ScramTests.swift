import EventLoop
import MQTT
import Testing

@testable import Access
@testable import Broker

/// SCRAM-SHA-256: RFC 5802 and RFC 7677, and what somebody who tries things learns from it.
@Suite struct ScramTests {
    /// Of RFC 7677 §3: user "user", password "pencil".
    private static let verifier =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        + ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

    private func withUsers(_ source: inout AccessSource, _ files: Files) {
        source.passwordFile = files.write(
            "passwd", "user:\(Self.verifier)\nplain:\(PasswordHash(of: [1], iterations: 1).text)\n")
    }

    // MARK: - The RFC

    @Test func theExampleOfRFC7677() throws {
        var exchange = try ScramExchange(Array("n,,n=user,r=rOprNGfwEbeRWgbNEkqO".utf8))
        #expect(text(exchange.userName) == "user")
        let challenge = exchange.challenge(try PasswordHash(Self.verifier), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
        #expect(
            text(challenge)
                == "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")

        let final = try exchange.verify(
            Array(
                ("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                    + "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").utf8))

        #expect(text(final) == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    }

    @Test func aVerifierIsReadAndWrittenAndServesLoginsByPassword() throws {
        let hash = try PasswordHash(Self.verifier)
        #expect(hash.text == Self.verifier)
        #expect(hash.matches(Array("pencil".utf8), lasting: PasswordWork(sha256: 4096)))
        #expect(!hash.matches(Array("pencils".utf8), lasting: PasswordWork(sha256: 4096)))
        let made = PasswordHash(scramOf: Array("x y".utf8), iterations: 10)
        #expect(try PasswordHash(made.text) == made)
        #expect(made.matches(Array("x y".utf8), lasting: PasswordWork(sha512: 3, sha256: 20)))
        #expect(made != PasswordHash(scramOf: Array("x y".utf8), iterations: 10), "each has a salt of its own")
        #expect(!PasswordHash.isPlain(Array("ä".utf8)) && !PasswordHash.isPlain([9]) && PasswordHash.isPlain([0x20]))
    }

    @Test(arguments: [
        ("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==", "cut off"), ("SCRAM-SHA-256$0:aa==$aa==:aa==", "iterations"),
        ("SCRAM-SHA-256$99999999:aa==$aa==:aa==", "iterations"), ("SCRAM-SHA-256$1:$aa==:aa==", "damaged"),
        ("SCRAM-SHA-256$1:c2FsdA==$c2FsdA==:c2FsdA==", "damaged"), ("SCRAM-SHA-256$1:c2FsdA==$a:b:c", "cut off"),
        ("SCRAM-SHA-1$1:c2FsdA==$a:b", "no password hash"),
    ])
    func aBadVerifierIsNamed(line: String, what: String) {
        let file = PasswordFile(Array("user:\(line)\n".utf8), path: "p")
        #expect(file.problems.count == 1 && file.problems[0].text.contains(what), "\(file.problems)")
    }

    @Test(arguments: [
        "", "n", "n,,", "n,,n=user", "n,,r=x,n=user", "n,,n=,r=x", "n,,n=user,r=", "n,,n=us=er,r=x", "n,,n=user,r=a b",
        "p=tls-unique,,n=user,r=x", "n,,m=x,n=user,r=x", "x,,n=user,r=x", "n,a=other,n=user,r=x", "n,user,n=user,r=x",
        "n,,n=user,r=" + String(repeating: "x", count: 2048),
    ])
    func aFirstMessageThatIsNone(message: String) {
        #expect(throws: ScramExchange.Refusal.self) { try ScramExchange(Array(message.utf8)) }
    }

    @Test func namesAreEncoded() throws {
        #expect(text(try ScramExchange(Array("y,a=a=2Cb=3D,n=a=2Cb=3D,r=x,ext=1".utf8)).userName) == "a,b=")
    }

    // MARK: - Logging in

    /// A client as RFC 5802 §3 has it, with its own way through the hashes.
    private struct Client {
        let name: String
        let password: String
        var header = "n,,"
        var bare: String { "n=\(name),r=own" }
        var first: [UInt8] { Array((header + bare).utf8) }

        func final(_ challenge: [UInt8]) -> [UInt8] {
            let said = text(challenge)
            let fields = said.split(separator: ",").map { $0.dropFirst(2) }
            let salt = Base64.decode(fields[1].utf8) ?? []
            let salted = ScramKeys.salted(Array(password.utf8), salt, Int(fields[2]) ?? 1)
            let key = ScramKeys.code("Client Key".utf8, key: salted)
            let without = "c=\(Base64.encode(Array(header.utf8))),r=\(fields[0])"
            let signature = ScramKeys.code("\(bare),\(said),\(without)".utf8, key: ScramKeys.digest(key))
            return Array("\(without),p=\(Base64.encode(zip(key, signature).map { $0 ^ $1 }))".utf8)
        }
    }

    private enum Outcome: Equatable {
        case goOn([UInt8])
        case user(String)
        case refused(ReasonCode, String?)
    }

    private func step(_ login: any Authentication, _ data: [UInt8]?) -> Outcome? {
        var outcome: Outcome?
        login.take(data) { step in
            switch step {
            case .goOn(let data): outcome = .goOn(data)
            case .admitted(let identity, let data):
                outcome = data?.starts(with: "v=".utf8) == true ? .user(text(identity.userName)) : nil
            case .refused(let reason, let why): outcome = .refused(reason, why)
            }
        }
        return outcome
    }

    private func begin(_ desk: Desk, peer: String = "10.0.0.1:1", user: String? = nil) throws -> any Authentication {
        let candidate = Candidate(
            clientIdentifier: [0x63], userName: user.map { Array($0.utf8) }, peer: peer, listener: desk.listener,
            byteCount: 100)
        return try #require(desk.access.authentication(by: "SCRAM-SHA-256", of: candidate))
    }

    private func logIn(_ desk: Desk, _ client: Client, user: String? = nil) throws -> Outcome? {
        let login = try begin(desk, user: user)
        guard case .goOn(let challenge)? = step(login, client.first) else { return nil }
        return step(login, client.final(challenge))
    }

    @Test func whoKnowsThePasswordIsLetIn() throws {
        let desk = try Desk(withUsers)
        #expect(try logIn(desk, Client(name: "user", password: "pencil")) == .user("user"))
        #expect(try logIn(desk, Client(name: "user", password: "pencil", header: "y,a=user,")) == .user("user"))
        #expect(try logIn(desk, Client(name: "user", password: "pencil"), user: "user") == .user("user"))
        // The same password by itself.
        let answer = desk.knock("user", "pencil")
        desk.work()
        #expect(answer.identity != nil)
    }

    @Test(arguments: [("user", "Pencil", "wrong password"), ("eve", "x", "unknown"), ("plain", "\u{1}", "SCRAM")])
    func whoDoesNotIsRefused(name: String, password: String, why: String) throws {
        let desk = try Desk(withUsers)
        guard case .refused(.notAuthorized, let said?)? = try logIn(desk, Client(name: name, password: password)) else {
            Issue.record("let in")
            return
        }
        #expect(said.contains(why), "\(said)")
    }

    @Test func anotherNameInCONNECTIsRefused() throws {
        let desk = try Desk(withUsers)
        let login = try begin(desk, user: "other")
        guard case .refused(.notAuthorized, let why)? = step(login, Client(name: "user", password: "").first) else {
            Issue.record("goes on")
            return
        }
        #expect(why?.contains("other") == true)
    }

    /// From outside a user that isn't known is one with another salt, today and tomorrow.
    @Test func anUnknownUserLooksLikeAKnownOne() throws {
        func challenge(_ desk: Desk, _ name: String) throws -> [String] {
            guard case .goOn(let data)? = step(try begin(desk), Client(name: name, password: "").first) else {
                return []
            }
            return text(data).split(separator: ",").map { String($0) }
        }
        let desk = try Desk(withUsers)
        let known = try challenge(desk, "user")
        let eve = try challenge(desk, "eve")
        #expect(known.count == 3 && eve.count == 3)
        #expect(known[1].count == eve[1].count && known[1] != eve[1])
        #expect(known[2] == eve[2])
        #expect(known[0] != eve[0])
        #expect(try challenge(desk, "eve")[1] == eve[1])
        #expect(try challenge(desk, "eva")[1] != eve[1])
        #expect(try challenge(try Desk(withUsers), "eve")[1] == eve[1], "after a restart, with the same secret")
    }

    @Test func aProofIsGoodForOneExchange() throws {
        let desk = try Desk(withUsers)
        let client = Client(name: "user", password: "pencil")
        let login = try begin(desk)
        guard case .goOn(let challenge)? = step(login, client.first) else { return }
        let final = client.final(challenge)
        let second = try begin(desk)
        _ = step(second, client.first)
        guard case .refused(.notAuthorized, let why?)? = step(second, final) else {
            Issue.record("let in")
            return
        }
        #expect(why.contains("nonce"))
        #expect(step(login, final) == .user("user"))
    }

    @Test func failuresAreSlowed() throws {
        let desk = try Desk(withUsers)
        for _ in 0..<5 { #expect(try logIn(desk, Client(name: "user", password: "x")) != nil) }
        var answered = false
        let login = try begin(desk)
        let client = Client(name: "user", password: "x")
        guard case .goOn(let challenge)? = step(login, client.first) else { return }
        login.take(client.final(challenge)) { _ in answered = true }
        #expect(!answered)
        // Who has the right one gets in all the while.
        #expect(try logIn(desk, Client(name: "user", password: "pencil")) == .user("user"))
        desk.advance(by: .seconds(1))
        #expect(answered)
    }

    @Test func whatIsGivenUpIsForgotten() throws {
        let desk = try Desk(withUsers)
        for _ in 0..<3000 { _ = step(try begin(desk), Client(name: "user", password: "").first) }
        #expect(try logIn(desk, Client(name: "user", password: "pencil")) == .user("user"))
        // Those that are kept open are bounded.
        let open = try (0..<1001).map { _ in try begin(desk) }
        let outcomes = open.map { step($0, Client(name: "user", password: "").first) }
        #expect(outcomes.filter { if case .goOn? = $0 { true } else { false } }.count == 1000)
        #expect(outcomes.last == .refused(.serverUnavailable, "too many logins wait to be checked; it may try again"))
    }

    @Test func withoutAVerifierThereIsNoSuchMethod() throws {
        let desk = try Desk {
            $0.passwordFile = $1.write("passwd", "plain:\(PasswordHash(of: [1], iterations: 1).text)\n")
        }
        let candidate = Candidate(clientIdentifier: [1], peer: "10.0.0.1:1", listener: desk.listener)
        #expect(desk.access.authentication(by: "SCRAM-SHA-256", of: candidate) == nil)
        let other = try Desk(withUsers)
        #expect(other.access.authentication(by: "SCRAM-SHA-1", of: candidate) == nil)
    }

    @Test func aPasswordThatChangesMeanwhileLetsNobodyIn() throws {
        let desk = try Desk(withUsers)
        let client = Client(name: "user", password: "pencil")
        let login = try begin(desk)
        guard case .goOn(let challenge)? = step(login, client.first) else { return }
        desk.access.replace(
            try desk.rules { $0.passwordFile = $1.write("passwd", "user:\(PasswordHash(scramOf: [0x78]).text)\n") })
        guard case .refused(.notAuthorized, _)? = step(login, client.final(challenge)) else {
            Issue.record("let in")
            return
        }
    }
}
