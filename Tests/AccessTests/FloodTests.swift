import EventLoop
import MQTT
import Testing

@testable import Access
@testable import Broker

/// Those who try again and again, and those who come all at once.
@Suite struct FloodTests {
    private static let pump = PasswordHash(of: Array("secret".utf8), iterations: 1).text

    private func desk() throws -> Desk {
        try Desk { $0.passwordFile = $1.write("passwd", "pump:\(Self.pump)\n") }
    }

    @Test func failuresAreSlowedByAddress() throws {
        let desk = try desk()
        for number in 1...5 {
            let answer = desk.knock("pump", "wrong")
            desk.work()
            #expect(answer.reason == .badUserNameOrPassword, "\(number): at once")
        }
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let answer = desk.knock("pump", "wrong")
            desk.work()
            desk.advance(by: .milliseconds(seconds * 1000 - 100))
            #expect(!answer.isThere, "\(seconds) s")
            desk.advance(by: .milliseconds(200))
            #expect(answer.reason == .badUserNameOrPassword)
        }
        // Others aren't, and who knows the password comes in at once.
        let other = desk.knock("pump", "wrong", from: "10.0.0.2:1")
        let good = desk.knock("pump", "secret")
        desk.work()
        #expect(other.reason == .badUserNameOrPassword)
        #expect(good.identity != nil)
        #expect(desk.lines.filter { $0.contains("refusals to it are late") }.count == 1)
    }

    @Test func fewAttemptsOfASlowedAddressAreOpenAtOnce() throws {
        let desk = try desk()
        for _ in 0..<6 {
            desk.knock("pump", "wrong")
            desk.work()
        }
        desk.advance(by: .seconds(2))
        var answers: [Answer] = []
        for _ in 0..<20 { answers.append(desk.knock("pump", "wrong")) }
        desk.work()

        #expect(answers.count { $0.reason == .connectionRateExceeded } == 12)
        #expect(answers.count { !$0.isThere } == 8, "their refusals are late")
        desk.advance(by: .seconds(31))
        #expect(answers.count { $0.isThere } == 20)
        // They are over: the next ones are looked at.
        let good = desk.knock("pump", "secret")
        desk.work()
        #expect(good.identity != nil)
    }

    @Test func aWhileWithoutFailuresForgets() throws {
        let desk = try desk()
        for _ in 0..<7 {
            desk.knock("pump", "wrong")
            desk.work()
            desk.advance(by: .seconds(31))
        }
        desk.advance(by: .seconds(600))
        let answer = desk.knock("pump", "wrong")
        desk.work()

        #expect(answer.reason == .badUserNameOrPassword)
    }

    @Test func oneLineAnEpisode() throws {
        let desk = try desk()
        var told: [String] = []
        for _ in 0..<5 {
            let answer = desk.knock("pump", "wrong")
            desk.work()
            if let why = answer.why { told.append(why) }
        }
        #expect(told == ["client c, user pump: wrong password"])
        desk.advance(by: .seconds(61))
        let answer = desk.knock("eve", "wrong")
        desk.work()
        desk.advance(by: .seconds(31))
        #expect(answer.why == "client c, user eve: unknown")
    }

    @Test func whatWaitsIsBounded() throws {
        let desk = try desk()
        var answers: [Answer] = []
        for number in 0..<1100 {
            answers.append(desk.knock("pump", "secret", from: "10.0.\(number / 250).\(number % 250):1"))
        }
        #expect(answers.count { $0.reason == .serverUnavailable } == 100)
        #expect(answers.compactMap(\.why).count == 1)
        desk.work()
        #expect(answers.count { $0.identity != nil } == 1000)

        let large = (0..<5).map { _ in desk.knock("pump", "secret", bytes: 1 << 20) }
        #expect(large.map(\.reason) == [nil, nil, nil, nil, .serverUnavailable])
        desk.work()
        #expect(large.count { $0.identity != nil } == 4)
    }

    /// Refusals that are late are bounded over all addresses: the rest is told at once.
    @Test func whatIsLateIsBounded() throws {
        let desk = try desk()
        var answers: [Answer] = []
        for address in 0..<4 {
            for _ in 0..<6 {
                desk.knock("pump", "wrong", from: "10.0.0.\(address):1")
                desk.work()
            }
        }
        desk.advance(by: .seconds(2))
        for address in 0..<4 {
            for _ in 0..<2 {
                answers.append(desk.knock("pump", "wrong", from: "10.0.0.\(address):1", bytes: 1 << 20))
                desk.work()
            }
        }

        #expect(answers.count { $0.isThere } == 4)
        desk.advance(by: .seconds(31))
        #expect(answers.count { $0.reason == .badUserNameOrPassword } == 8)
        let again = desk.knock("pump", "wrong", from: "10.0.0.1:1", bytes: 1 << 20)
        desk.work()
        #expect(!again.isThere, "there is room again")
    }

    @Test func theTableOfAddressesIsBounded() {
        var failures = FailedLogins()
        let start = Instant(nanoseconds: 0)
        for number in 0..<50_000 {
            let address = FailedLogins.Address("10.\(number >> 16).\(number >> 8 & 255).\(number & 255):99")
            let now = start + .milliseconds(number)
            let isOpen = failures.begin(address, at: now)
            #expect(isOpen)
            _ = failures.fail(address, at: now)
            failures.end(address)
        }
        #expect(failures.count <= FailedLogins.maximum)
    }

    @Test(arguments: [
        ("10.0.0.1:1", "10.0.0.1:65535", true), ("10.0.0.1:1", "10.0.0.2:1", false),
        ("[2001:db8:1:2::1]:5", "[2001:db8:1:2:ffff::9]:6", true),
        ("[2001:db8:1:2::1]:5", "[2001:db8:1:3::1]:5", false),
        ("[::ffff:10.0.0.1]:5", "10.0.0.1:7", true), ("[::ffff:10.0.0.1]:5", "[::ffff:10.0.0.2]:5", false),
        ("unix:/run/a", "unix:/run/a", true),
    ])
    func whichAddressesAreOne(first: String, second: String, areOne: Bool) {
        #expect((FailedLogins.Address(first) == FailedLogins.Address(second)) == areOne)
    }

    @Test func withoutAThreadNobodyWaitsForEver() throws {
        let desk = try desk()
        desk.hasThread = false
        let answer = desk.knock("pump", "secret")
        #expect(answer.reason == .serverUnavailable)

        desk.hasThread = true
        let next = desk.knock("pump", "secret")
        desk.work()
        #expect(next.identity != nil)
    }

    /// On a thread as it is.
    @Test func aThreadThatComesAndGoes() throws {
        let loop = try EventLoop()
        let files = Files()
        var source = AccessSource()
        source.passwordFile = files.write("passwd", "pump:\(Self.pump)\n")
        let access = RuledAccess(try AccessRules(source), loop: loop, secret: []) { nil }
        let listener = ListenerOptions()
        for round in 0..<20 {
            var admitted = 0
            for number in 0..<10 {
                let candidate = Candidate(
                    clientIdentifier: [UInt8(number)], userName: Array("pump".utf8), password: Array("secret".utf8),
                    peer: "10.0.0.1:\(number)", listener: listener)
                access.admit(candidate) { if case .admitted = $0 { admitted += 1 } }
            }
            let deadline = ContinuousClock.now + .seconds(60)
            while admitted < 10, ContinuousClock.now < deadline { loop.tick(wait: .milliseconds(10)) }
            #expect(admitted == 10, "round \(round)")
        }
        loop.tearDown()
    }
}
