import COpenSSL
import EventLoop
import JSON
import Testing

@testable import Access

/// JSON Web Tokens (RFC 7519): which let somebody in, and as whom.
@Suite struct TokenTests {
    private static let now: Int64 = 1_800_000_000_000
    private static let secret = Array("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".utf8)

    private func rules(_ keys: [UInt8], _ algorithms: [String], user: String = "sub") throws -> TokenRules {
        try TokenRules(
            TokenRules.Source(keyFile: "keys", algorithms: algorithms, userClaim: user), keys: keys)
    }

    private func refusal(_ rules: TokenRules, _ token: [UInt8], now: Int64? = now) -> String? {
        do throws(TokenRules.Refusal) {
            _ = try rules.grant(token, now: now)
            return nil
        } catch { return error.text }
    }

    // MARK: Signatures

    @Test(arguments: [
        "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    ])
    func everyAlgorithm(name: String) throws {
        let algorithm = try #require(TokenAlgorithm(name))
        let key: Signing.Key
        let file: [UInt8]
        switch algorithm.family {
        case .hs: (key, file) = (.secret(Self.secret), Self.secret + [0x0A])
        case .rs, .ps:
            let pair = Signing.rsa()
            (key, file) = (.pair(pair), Signing.publicPEM(pair))
        case .es:
            let pair = Signing.curve(algorithm.curve)
            (key, file) = (.pair(pair), Signing.publicPEM(pair))
        }
        let rules = try rules(file, [name])
        for number in 0..<5 {
            let token = Signing.token(name, "{\"sub\":\"sensor-\(number)\"}", key)
            #expect(try rules.grant(token, now: Self.now).userName == Array("sensor-\(number)".utf8))
            // Any other bit of it, and it is nobody's.
            var changed = token
            let place = Int.random(in: 0..<(token.count - 1))
            changed[place] = changed[place] == 0x41 ? 0x42 : 0x41
            if changed != token { #expect(refusal(rules, changed) != nil, "\(place)") }
        }
    }

    /// RFC 7515, appendices A.1 and A.3: signed by others.
    @Test func tokensThatOthersSigned() throws {
        let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        let secret = try #require(
            Base64.decode(
                "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow".utf8,
                isURL: true))
        let hs = try rules(secret, ["HS256"], user: "iss")
        let before: Int64 = 1_300_819_379_000
        let first = Array(
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\(claims).dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".utf8)
        let grant = try hs.grant(first, now: before)
        #expect(grant.userName == Array("joe".utf8))
        #expect(grant.validUntil == before + 1000)
        #expect(refusal(hs, first, now: before + 1000)?.contains("expired") == true)

        let x = try #require(Base64.decode("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".utf8, isURL: true))
        let y = try #require(Base64.decode("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0".utf8, isURL: true))
        let head: [UInt8] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48,
            0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
        ]
        let pem = "-----BEGIN PUBLIC KEY-----\n\(Base64.encode(head + x + y))\n-----END PUBLIC KEY-----\n"
        let es = try rules(Array(pem.utf8), ["ES256"], user: "iss")
        let second = Array(
            ("eyJhbGciOiJFUzI1NiJ9.\(claims)."
                + "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q").utf8)
        #expect(try es.grant(second, now: before).userName == Array("joe".utf8))
    }

    @Test func aPublicKeyIsNoSecret() throws {
        let pair = Signing.rsa()
        let pem = Signing.publicPEM(pair)
        let rules = try rules(pem, ["RS256", "HS256"])
        // The attack: signed with what everybody may know.
        for secret in [pem, Array(pem.dropLast())] {
            #expect(refusal(rules, Signing.token("HS256", "{\"sub\":\"root\"}", .secret(secret))) != nil)
        }
    }

    @Test(arguments: ["none", "None", "HS384", "RS256", "", "hs256"]) func otherAlgorithmsAreRefused(name: String)
        throws
    {
        let rules = try rules(Self.secret, ["HS256"])
        let header = "{\"alg\":\"\(name)\"}"

        #expect(refusal(rules, Signing.token("HS256", "{\"sub\":\"a\"}", .secret(Self.secret), header: header)) != nil)
        let unsigned = Signing.url(Array(header.utf8)) + "." + Signing.url(Array("{\"sub\":\"a\"}".utf8)) + "."
        #expect(refusal(rules, Array(unsigned.utf8)) != nil)
    }

    @Test func unknownConditionsAreRefused() throws {
        let rules = try rules(Self.secret, ["HS256"])
        let header = "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}"
        let token = Signing.token("HS256", "{\"sub\":\"a\"}", .secret(Self.secret), header: header)

        #expect(refusal(rules, token)?.contains("crit") == true)
    }

    @Test func severalKeysForAChange() throws {
        let old = Signing.rsa()
        let new = Signing.curve("prime256v1")
        let rules = try rules(Signing.publicPEM(old) + Signing.publicPEM(new), ["RS256", "ES256"])
        let first = try rules.grant(Signing.token("RS256", "{\"sub\":\"a\"}", .pair(old)), now: Self.now)
        let second = try rules.grant(Signing.token("ES256", "{\"sub\":\"a\"}", .pair(new)), now: Self.now)

        let later = try self.rules(Signing.publicPEM(new), ["RS256", "ES256"])
        #expect(!later.trusts(key: first.key))
        #expect(later.trusts(key: second.key))
    }

    // MARK: Key files

    @Test func keysThatWouldNotDo() throws {
        let pair = Signing.rsa()
        func problem(_ keys: [UInt8], _ algorithms: [String]) -> String {
            do throws(FileProblem) {
                _ = try TokenRules(TokenRules.Source(keyFile: "k", algorithms: algorithms), keys: keys)
                return ""
            } catch { return "\(error)" }
        }
        #expect(problem(Signing.publicPEM(pair), ["ES256"]).contains("none of access.jwt.algorithms (ES256)"))
        #expect(problem(Signing.publicPEM(pair), ["HS256"]).contains("none of access.jwt.algorithms"))
        #expect(problem(Signing.privatePEM(pair), ["RS256"]).contains("private key"))
        #expect(problem(Signing.publicPEM(Signing.rsa(1024)), ["RS256"]).contains("1024 bits"))
        #expect(problem(Signing.publicPEM(Signing.curve("secp384r1")), ["ES256"]).contains("none of"))
        #expect(problem(Signing.publicPEM(Signing.curve("secp256k1")), ["ES256"]).contains("none of"))
        #expect(problem(Array("short".utf8), ["HS256"]).contains("32 bytes"))
        #expect(problem(Self.secret, ["RS256"]).contains("none of"))
        #expect(problem([], ["HS256"]).contains("empty"))
        #expect(
            problem(Array("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".utf8), ["RS256"]).contains(
                "can't be read"))
        #expect(problem(Array("-----BEGIN nothing".utf8), ["RS256"]).contains("no key"))
    }

    // MARK: Claims

    @Test(arguments: [
        ("{}", "without a user"), ("{\"sub\":7}", "without a user"), ("{\"sub\":\"\"}", "without a user"),
        ("[]", "without claims"), ("{\"sub\":\"a\",\"exp\":\"x\"}", "exp is no date"),
        ("{\"sub\":\"a\",\"exp\":1800000000}", "expired"), ("{\"sub\":\"a\",\"exp\":-1}", "expired"),
        ("{\"sub\":\"a\",\"exp\":1e300}", "no date"), ("{\"sub\":\"a\",\"nbf\":1800000100}", "not valid yet"),
        ("{\"sub\":\"a\",\"publish\":[1]}", "claim publish"),
        ("{\"sub\":\"a\",\"publish\":[\"a/#/b\"]}", "claim publish"),
        ("{\"sub\":\"a\",\"subscribe\":{}}", "claim subscribe"),
        ("{\"sub\":\"a\",\"subscribe\":[\"$share/g/a\"]}", "claim subscribe"),
    ])
    func claimsThatWouldNotDo(claims: String, what: String) throws {
        let rules = try rules(Self.secret, ["HS256"])
        let refusal = refusal(rules, Signing.token("HS256", claims, .secret(Self.secret)))

        #expect(refusal?.contains(what) == true, "\(refusal ?? "granted")")
    }

    @Test func claimsThatGrant() throws {
        let rules = try rules(Self.secret, ["HS256"])
        let claims = """
            {"sub":"a","exp":1800000000.5,"nbf":1800000030,"publish":["p/#","q"],"subscribe":"s/+"}
            """
        let grant = try rules.grant(Signing.token("HS256", claims, .secret(Self.secret)), now: Self.now)

        #expect(grant.validUntil == 1_800_000_000_500)
        #expect(
            grant.rules == [
                AccessRule(.write, "p/#".utf8), AccessRule(.write, "q".utf8), AccessRule(.read, "s/+".utf8),
            ])
    }

    @Test func withoutADateNothingThatExpiresIsValid() throws {
        let rules = try rules(Self.secret, ["HS256"])
        let lasting = Signing.token("HS256", "{\"sub\":\"a\"}", .secret(Self.secret))
        let brief = Signing.token("HS256", "{\"sub\":\"a\",\"exp\":1900000000}", .secret(Self.secret))

        #expect(refusal(rules, lasting, now: nil) == nil)
        #expect(refusal(rules, brief, now: nil)?.contains("clock is not set") == true)
    }

    @Test func anyBytes() throws {
        let rules = try rules(Self.secret, ["HS256"])
        var random = SystemRandomNumberGenerator()
        let token = Signing.token("HS256", "{\"sub\":\"a\"}", .secret(Self.secret))
        for _ in 0..<2000 {
            var changed = token
            for _ in 0..<3 {
                changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if changed != token { _ = refusal(rules, changed) }
            _ = refusal(rules, Array(changed.prefix(Int.random(in: 0...token.count, using: &random))))
        }
    }
}
