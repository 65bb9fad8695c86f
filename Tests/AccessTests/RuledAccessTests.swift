import EventLoop
import MQTT
import Testing

@testable import Access
@testable import Broker

/// Who comes in, as whom, and with what rights.
@Suite struct RuledAccessTests {
    private static let pump = PasswordHash(of: Array("secret".utf8), iterations: 1).text

    private func withUsers(_ source: inout AccessSource, _ files: Files) {
        source.passwordFile = files.write("passwd", "pump:\(Self.pump)\n")
    }

    // MARK: Passwords

    @Test(arguments: [
        ("pump", "secret", true), ("pump", "Secret", false), ("pump", "", false), ("Pump", "secret", false),
        ("eve", "secret", false), ("", "", false), ("pump", nil, false),
    ])
    func logins(user: String, password: String?, isLetIn: Bool) throws {
        let desk = try Desk(withUsers)
        let answer = desk.knock(user, password)
        #expect(!answer.isThere, "it waits for the thread")
        desk.work()

        #expect(answer.identity?.userName == (isLetIn ? Array("pump".utf8) : nil))
        #expect(answer.reason == (isLetIn ? nil : .badUserNameOrPassword))
        #expect(answer.why?.contains("secret") != true)
    }

    @Test(arguments: [
        (AnonymousPolicy.always, "10.0.0.1:1", true), (.loopback, "10.0.0.1:1", false),
        (.loopback, "127.0.0.1:1", true),
        (.loopback, "[::1]:1", true), (.loopback, "unix:/s", true), (.never, "127.0.0.1:1", false),
    ])
    func withoutALogin(policy: AnonymousPolicy, peer: String, isLetIn: Bool) throws {
        let desk = try Desk(anonymous: policy, withUsers)
        let answer = desk.knock(nil, from: peer)

        #expect(answer.identity?.userName == (isLetIn ? [] : nil))
        #expect(answer.reason == (isLetIn ? nil : .notAuthorized))
        // Who gives a name must show that it is theirs, whoever may come without.
        let named = desk.knock("pump", "wrong", from: peer)
        desk.work()
        #expect(named.reason == .badUserNameOrPassword)
    }

    @Test func noPasswordIsNotTheEmptyOne() throws {
        let empty = PasswordHash(of: [], iterations: 1).text
        let desk = try Desk { $0.passwordFile = $1.write("passwd", "pump:\(empty)\n") }
        let without = desk.knock("pump")
        let with = desk.knock("pump", "")
        desk.work()

        #expect(without.reason == .badUserNameOrPassword)
        #expect(with.identity != nil)
    }

    @Test func anEmptyPasswordFileKnowsNobody() throws {
        let desk = try Desk(anonymous: .always) { $0.passwordFile = $1.write("passwd", "# nobody yet\n") }
        let answer = desk.knock("pump", "secret")
        desk.work()

        #expect(answer.reason == .badUserNameOrPassword)
    }

    /// Without any logins a name shows nothing, and gives no rights.
    @Test func aNameThatNobodyCanCheckIsNobodys() throws {
        let desk = try Desk(anonymous: .always) {
            $0.listFile = $1.write("acl", "topic read open\nuser admin\ntopic #\n")
        }
        let answer = desk.knock("admin", "x")

        #expect(answer.identity?.userName == [])
        #expect(answer.allowed("open") == "r")
        #expect(answer.allowed("other") == "")
    }

    // MARK: Rights

    @Test func withoutRulesEverybodyMayDoEverything() throws {
        let desk = try Desk(withUsers)
        let answer = desk.knock("pump", "secret")
        desk.work()

        #expect(answer.identity?.rights == nil)
    }

    @Test func tablesAndListsAddUp() throws {
        let desk = try Desk(anonymous: .always) { source, files in
            withUsers(&source, files)
            source.users = [
                .init(name: "pump", publish: ["plant/#"], subscribe: ["cmd/#"]),
                .init(name: "own", password: Self.pump, publish: ["own"]),
            ]
            source.listFile = files.write(
                "acl", "topic read open\nuser pump\ntopic read extra\ntopic deny plant/secret\npattern write %c/x\n")
        }
        let pump = desk.knock("pump", "secret")
        let own = desk.knock("own", "secret")
        let anonymous = desk.knock(nil, client: "a")
        desk.work()

        #expect(
            ["plant/1", "plant/secret", "cmd/1", "extra", "c/x", "open"].map(pump.allowed) == [
                "w", "", "r", "r", "w", "",
            ])
        #expect(["own", "plant/1", "c/x"].map(own.allowed) == ["w", "", "w"])
        #expect(["open", "own", "a/x", "c/x"].map(anonymous.allowed) == ["r", "", "w", ""])
    }

    /// One table with rights, and what no rule allows is denied, to those whom no table names too.
    @Test func aTableIsARule() throws {
        let desk = try Desk(anonymous: .always) { source, files in
            withUsers(&source, files)
            source.users = [.init(name: "other", password: Self.pump, publish: ["a"])]
        }
        let pump = desk.knock("pump", "secret")
        let anonymous = desk.knock(nil)
        desk.work()

        #expect(pump.allowed("a") == "")
        #expect(anonymous.allowed("a") == "")
    }

    // MARK: Tokens

    private static let secret = String(repeating: "k", count: 32)

    private func token(_ claims: String) -> String {
        text(Signing.token("HS256", claims, .secret(Array(Self.secret.utf8))))
    }

    private func withTokens(_ source: inout AccessSource, _ files: Files) {
        source.tokens = TokenRules.Source(keyFile: files.write("keys", Self.secret), algorithms: ["HS256"])
    }

    @Test func aTokenIsAPassword() throws {
        let dots = PasswordHash(of: Array("eat.my.hat".utf8), iterations: 1).text
        let desk = try Desk { source, files in
            source.passwordFile = files.write("passwd", "pump:\(Self.pump)\ndotted:\(dots)\n")
            withTokens(&source, files)
        }
        let claims = #"{"sub":"truck","exp":1800000060,"publish":["truck/#"]}"#
        let named = desk.knock("somebody", token(claims))
        let nameless = desk.knock(nil, token(claims))
        let dotted = desk.knock("dotted", "eat.my.hat")
        let pump = desk.knock("pump", "secret")
        let wrong = desk.knock("pump", token(#"{"sub":"a","exp":1}"#))
        let noToken = desk.knock(nil, "secret")
        desk.work()

        for answer in [named, nameless] {
            #expect(answer.identity?.userName == Array("truck".utf8))
            #expect(answer.identity?.validUntil == 1_800_000_060_000)
            #expect(answer.allowed("truck/1") == "w" && answer.allowed("pump") == "")
        }
        #expect(pump.identity?.rights == nil)
        #expect(dotted.identity != nil, "it is no token")
        #expect(wrong.reason == .badUserNameOrPassword)
        #expect(noToken.reason == .badUserNameOrPassword)
    }

    @Test func aTokenWithoutTopicsGrantsNone() throws {
        let desk = try Desk(withTokens)
        let silent = try Desk { source, files in
            withTokens(&source, files)
            source.tokens?.publishClaim = ""
            source.tokens?.subscribeClaim = ""
        }
        let answer = desk.knock(nil, token(#"{"sub":"a"}"#))
        let other = silent.knock(nil, token(#"{"sub":"a"}"#))
        desk.work()
        silent.work()

        #expect(answer.allowed("a") == "")
        #expect(other.allowed("a") == "rw", "tokens say nothing of topics there")
    }

    // MARK: Certificates and peers

    private func certificate(_ name: String?) -> PeerCertificate {
        var certificate = PeerCertificate(subject: "O=Plant,CN=pump")
        certificate.commonName = name
        certificate.alternativeName = "pump.plant"
        return certificate
    }

    @Test func aCertificateNames() throws {
        for (source, name) in [
            (NameSource.commonName, "pump"), (.subject, "O=Plant,CN=pump"), (.alternativeName, "pump.plant"),
        ] {
            let desk = try Desk(names: source, withUsers)
            let answer = desk.knock("ignored", "x", certificate: certificate("pump"))
            #expect(answer.identity?.userName == Array(name.utf8))
        }
    }

    @Test func aCertificateWithoutTheNameIsRefused() throws {
        let desk = try Desk(anonymous: .always, names: .commonName, withUsers)

        #expect(desk.knock("pump", "secret", certificate: certificate(nil)).reason == .notAuthorized)
        #expect(desk.knock("pump", "secret", certificate: certificate("")).reason == .notAuthorized)
        // Without a certificate there is still the login.
        let other = desk.knock("pump", "secret")
        desk.work()
        #expect(other.identity != nil)
    }

    @Test func theUserOfASocket() throws {
        let desk = try Desk(names: .peer) { $0.listFile = $1.write("acl", "user root\ntopic a\n") }
        let root = desk.knock(nil, from: "unix:/s", credentials: PeerCredentials(process: 1, user: 0, groups: [0]))
        let nobody = desk.knock(
            nil, from: "unix:/s", credentials: PeerCredentials(process: 1, user: 3_999_999, groups: [0]))
        desk.work()

        #expect(root.identity?.userName == Array("root".utf8))
        #expect(root.allowed("a") == "rw")
        #expect(nobody.identity?.userName == Array("3999999".utf8))
        #expect(nobody.allowed("a") == "")
    }

    // MARK: Reloading

    @Test func aReloadTakesAwayWhatItTookAway() throws {
        let desk = try Desk(anonymous: .always) { source, files in
            withUsers(&source, files)
            withTokens(&source, files)
        }
        let pump = desk.knock("pump", "secret")
        let truck = desk.knock(nil, token(#"{"sub":"truck","publish":["t"]}"#))
        let anonymous = desk.knock(nil)
        desk.work()
        func review(_ answer: Answer) throws -> ClientIdentity? { desk.access.review(try #require(answer.identity)) }

        // Rules appear; everybody stays.
        desk.access.replace(
            try desk.rules { source, files in
                withUsers(&source, files)
                withTokens(&source, files)
                source.listFile = files.write("acl", "topic read open\nuser truck\ntopic deny t\n")
            })
        for answer in [pump, truck, anonymous] { answer.identity = try review(answer) }
        #expect([pump, truck, anonymous].map { $0.allowed("t") } == ["", "", ""])
        #expect(anonymous.allowed("open") == "r")

        // Another password; another key.
        let other = PasswordHash(of: Array("secret".utf8), iterations: 1).text
        desk.access.replace(
            try desk.rules { source, files in
                source.passwordFile = files.write("passwd", "pump:\(other)\n")
                source.tokens = TokenRules.Source(
                    keyFile: files.write("keys", String(repeating: "l", count: 32)), algorithms: ["HS256"])
            })
        #expect(try review(pump) == nil)
        #expect(try review(truck) == nil)
        #expect(try review(anonymous) != nil)
    }

    @Test func whoWaitsWhileTheRulesChangeIsJudgedByTheNewOnes() throws {
        let desk = try Desk(withUsers)
        let answer = desk.knock("pump", "secret")
        desk.access.replace(try desk.rules { $0.passwordFile = $1.write("passwd", "") })
        desk.work()

        #expect(answer.reason == .badUserNameOrPassword)
    }

    @Test func sessionsOfEarlierRuns() throws {
        let desk = try Desk { source, files in
            withUsers(&source, files)
            withTokens(&source, files)
            source.listFile = files.write("acl", "user pump\ntopic a\n")
        }
        func mayReceive(_ user: String, _ topic: String) -> Bool {
            let identity = desk.access.restored(clientIdentifier: [1], userName: Array(user.utf8))
            guard let rights = identity.rights else { return true }
            return Array(topic.utf8).withUnsafeBytes { rights.mayReceive($0) }
        }
        #expect(mayReceive("pump", "a") && !mayReceive("pump", "b"))
        #expect(!mayReceive("", "a"))
        #expect(mayReceive("truck", "b"), "what its token granted is known when it comes back")
        let truck = desk.access.restored(clientIdentifier: [1], userName: Array("truck".utf8))
        #expect(desk.access.review(truck)?.rights == nil, "and a reload doesn't change that")
    }

    // MARK: Problems

    @Test func everythingWrongIsSaid() throws {
        let files = Files()
        var source = AccessSource()
        source.passwordFile = files.write("passwd", "a:b\nc\n", mode: 0o644)
        source.listFile = files.write("acl", "nonsense\n")
        source.users = [.init(name: "a", password: "$7$x")]
        source.tokens = TokenRules.Source(keyFile: files.path + "/absent")
        let error = #expect(throws: AccessProblems.self) { _ = try AccessRules(source) }

        #expect(
            error?.problems.map(\.setting)
                == ["password_file", "password_file", "user.0.password", "acl_file", "jwt.key_file"])
        #expect(error?.problems.last?.text.contains("No such file") == true)
    }

    @Test func aSecretThatAllCanReadIsWarnedOf() throws {
        let files = Files()
        var source = AccessSource()
        source.passwordFile = files.write("passwd", "pump:\(Self.pump)\n", mode: 0o644)
        source.tokens = TokenRules.Source(keyFile: files.write("keys", Self.secret, mode: 0o644), algorithms: ["HS256"])
        source.listFile = files.write("acl", "topic a\n", mode: 0o644)
        let warnings = try AccessRules(source).warnings

        #expect(warnings.map(\.setting) == ["password_file", "jwt.key_file"])
        #expect(warnings.first?.text.contains("\(files.path)/passwd: everybody") == true)
    }
}
