import EventLoop
import Glibc
import Testing

@testable import Access

/// Password files as mosquitto_passwd writes them.
@Suite struct PasswordFileTests {
    /// Made by mosquitto_passwd 2.0.11: the last with `-H sha512`.
    private static let written = """
        alice:$7$101$JRJ1ScXJaAzY2rqp$ivXlE+mGJhFJ9jM6tc1sDQCaVl0E88FaCeaPgBCFzFuodWELuKWn/ELc8Mo6qCGe0BcUP089QjqgBKVh958KBg==
        bob smith:$7$101$iczTiI7bwtyOREYN$tbNez67HP7Sg/BVwLXTtX5y5rChCh+guk2qLyWxEBudzXL6U30GXnHnpiKGmXVNIluZhvpx3knTNGbVcxoNeEg==
        carl:$6$g2QUAZTEy5GkjrCp$RtupriD1rM4szl3ycTkCK56twZPjDYFQ7dTNVW4jZyYdOzsbovimIDEStijb0Mv9GSrV+p9kC3DEgpjZD0xW9Q==

        """

    private func hash(_ name: String, in file: PasswordFile) throws -> PasswordHash {
        try #require(file.hashes[Array(name.utf8)])
    }

    @Test(arguments: [("alice", "secret"), ("bob smith", ""), ("carl", "x")])
    func whatMosquittoWroteIsRead(name: String, password: String) throws {
        let file = PasswordFile(Array(Self.written.utf8), path: "passwd")
        #expect(file.problems == [])
        let hash = try hash(name, in: file)

        #expect(hash.matches(Array(password.utf8), lasting: PasswordWork(sha512: 101)))
        #expect(!hash.matches(Array((password + "y").utf8), lasting: PasswordWork(sha512: 101)))
        #expect(Self.written.contains(":\(hash.text)\n"), "it is written as it was read")
    }

    @Test func commentsBlanksAndLineEndsArePassedOver() throws {
        let line = Self.written.split(separator: "\n")[0]
        let file = PasswordFile(Array("# a comment: x\n\n  \t\n \(line)  \r\n".utf8), path: "passwd")

        #expect(file.problems == [])
        #expect(file.hashes.keys.map { text($0) } == ["alice"])
    }

    @Test(arguments: [
        ("alice", "no colon"), ("alice:", "user alice has no password hash"), (":$7$x", "without a user name"),
        ("alice:secret", "no password hash"), ("alice:$7$101$c2FsdA==", "cut off"),
        ("alice:$7$0$c2FsdA==$aGFzaA==", "iterations"), ("alice:$7$99999999$c2FsdA==$aGFzaA==", "iterations"),
        ("alice:$7$101$c2FsdA==$aGFzaA==", "damaged"), ("alice:$7$101$!!$aGFzaA==", "damaged"),
        ("alice:$5$c2FsdA==$aGFzaA==", "a kind that isn't known"),
        ("alice:$argon2id$v=19$m=47104,t=1,p=1$c2FsdA$aGFzaA", "OpenSSL can't check before 3.2"),
    ])
    func aBadLineIsNamed(line: String, what: String) {
        let file = PasswordFile(Array("# first\n\(line)\n".utf8), path: "conf/passwd")

        #expect(file.problems.count == 1)
        let problem = file.problems.first?.description ?? ""
        #expect(problem.hasPrefix("conf/passwd:2: ") && problem.contains(what), "\(problem)")
        #expect(!problem.contains("secret"), "what may be a password isn't repeated")
    }

    @Test func everyBadLineIsNamed() {
        let line = Self.written.split(separator: "\n")[0]
        let file = PasswordFile(Array("x\n\(line)\n\(line)\ny:z\n".utf8), path: "p")

        #expect(file.problems.map(\.line) == [1, 3, 4])
    }

    @Test func aNewHashIsItsPasswords() throws {
        let password = Array("pässword".utf8)
        let hash = PasswordHash(of: password, iterations: 500)
        let again = try PasswordHash(hash.text)

        #expect(again == hash)
        #expect(hash.text.hasPrefix("$7$500$"))
        #expect(again.matches(password, lasting: PasswordWork(sha512: 500)))
        #expect(!again.matches([], lasting: PasswordWork(sha512: 500)))
        #expect(PasswordHash(of: password, iterations: 500) != hash, "each has a salt of its own")
    }

    /// It takes as long for everybody: the work is the same, whoever asks. Measured by the CPU's time, at a distance that no
    /// busy machine fills.
    @Test func everyCheckTakesAsLong() throws {
        let slow = PasswordHash(of: [1], iterations: 200_000)
        let fast = PasswordHash(of: [1], iterations: 1)
        func time(_ hash: PasswordHash) -> Double {
            let start = clock()
            #expect(!hash.matches([2], lasting: PasswordWork(sha512: 200_000)))
            return Double(clock() - start)
        }
        let whole = time(slow)

        #expect(time(fast) > whole / 4)
        #expect(time(.unreachable(lasting: PasswordWork(sha512: 200_000))) > whole / 4)
    }

    @Test func nothingMatchesWhatIsUnreachable() {
        for iterations in [0, 1, 10] {
            #expect(
                !PasswordHash.unreachable(lasting: PasswordWork(sha512: iterations)).matches(
                    [], lasting: PasswordWork(sha512: iterations)))
        }
    }

    // MARK: Changing

    @Test func aChangedFileKeepsTheRest() throws {
        let hash = PasswordHash(of: [1], iterations: 1)
        let before = Array("# users\nalice:$7$x\n\nbob:$7$y".utf8)

        let (changed, wasThere) = PasswordFile.replacing("alice", by: hash, in: before)
        #expect(text(changed) == "# users\nalice:\(hash.text)\n\nbob:$7$y\n")
        #expect(wasThere)
        let (added, wasNew) = PasswordFile.replacing("carl", by: hash, in: before)
        #expect(text(added) == "# users\nalice:$7$x\n\nbob:$7$y\ncarl:\(hash.text)\n")
        #expect(!wasNew)
        let (removed, wasKnown) = PasswordFile.replacing("bob", by: nil, in: before)
        #expect(text(removed) == "# users\nalice:$7$x\n\n")
        #expect(wasKnown)
        #expect(PasswordFile.replacing("users", by: nil, in: before).0 == before + [0x0A])
        #expect(text(PasswordFile.replacing("a", by: hash, in: []).0) == "a:\(hash.text)\n")
    }

    @Test(arguments: ["", "a:b", "#a", "a\nb", " a", "a ", "a\u{7F}"]) func namesThatCannotStandThere(name: String) {
        #expect(PasswordFile.problem(ofName: name) != nil)
    }

    @Test(arguments: ["a", "bob smith", "ü", "sensor-7@plant"]) func namesThatCan(name: String) {
        #expect(PasswordFile.problem(ofName: name) == nil)
    }
}

@Suite struct Base64Tests {
    @Test(arguments: [
        ("", [UInt8]()), ("Zg==", [0x66]), ("Zm8=", [0x66, 0x6F]), ("Zm9v", [0x66, 0x6F, 0x6F]),
        ("+/8=", [0xFB, 0xFF]),
    ])
    func thereAndBack(text: String, bytes: [UInt8]) {
        #expect(Base64.decode(text.utf8) == bytes)
        #expect(Base64.encode(bytes) == text)
    }

    @Test(arguments: ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "Z g=", "-_8=", "Zg==Zg=="]) func whatIsNone(
        text: String
    ) {
        #expect(Base64.decode(text.utf8) == nil)
    }

    @Test func withoutPaddingInURLs() {
        #expect(Base64.decode("-_8".utf8, isURL: true) == [0xFB, 0xFF])
        #expect(Base64.decode("Zg==".utf8, isURL: true) == nil)
        #expect(Base64.decode("+/8".utf8, isURL: true) == nil)
    }
}
