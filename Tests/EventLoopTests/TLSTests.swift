import Glibc
import Testing

@testable import EventLoop

/// The files of Tests/Certificates.
enum Certificates {
    static func path(_ name: String) -> String {
        let own = #filePath
        let tests = own[..<(own.lastIndex(of: "/") ?? own.startIndex)]
        return tests[..<(tests.lastIndex(of: "/") ?? tests.startIndex)] + "/Certificates/" + name
    }

    static func credentials(_ name: String) -> TLSCredentials {
        TLSCredentials(certificate: path("\(name).pem"), key: path("\(name).key"))
    }

    static func server(_ names: String..., options: (inout TLSServerContext.Options) -> Void = { _ in }) throws
        -> TLSServerContext
    {
        var made = TLSServerContext.Options(credentials: names.map(credentials))
        options(&made)
        return try TLSServerContext(made)
    }

    static func client(_ options: (inout TLSClientContext.Options) -> Void = { _ in }) throws -> TLSClientContext {
        var made = TLSClientContext.Options()
        made.authorities = path("authority.pem")
        options(&made)
        return try TLSClientContext(made)
    }
}

/// A connection with TLS on both ends.
private struct SecureConnection {
    let connection: Connection
    let near: TLSStream
    let far: TLSStream
    var nearSide: Recorder { connection.nearSide }
    var farSide: Recorder { connection.farSide }
    var loop: EventLoop { connection.loop }

    init(
        _ server: TLSServerContext, _ client: TLSClientContext, host: String = "localhost", name: String = #function
    ) throws {
        connection = try Connection(.tcp, name: name)
        far = try TLSStream(server: server, over: connection.far)
        near = try TLSStream(client: client, host: host, over: connection.near)
        (near.delegate, far.delegate) = (connection.nearSide, connection.farSide)
    }

    /// Sends a byte and waits for it, or for an end.
    func reaches() -> Bool {
        near.write([7])
        return loop.turn { farSide.received == [7] || farSide.closes > 0 || nearSide.closes > 0 }
            && farSide.received == [7]
    }

    func finish() {
        near.close()
        far.close()
        connection.finish()
    }
}

@Suite struct TLSTests {
    @Test func bytesPassBothWays() throws {
        let secure = try SecureConnection(Certificates.server("server"), Certificates.client())
        defer { secure.finish() }
        let block = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        secure.near.write([1, 2, 3])
        secure.far.write(block)

        #expect(
            secure.loop.turn { secure.farSide.received == [1, 2, 3] && secure.nearSide.receivedCount == block.count })
        #expect(secure.nearSide.received == block)
        secure.near.closeAfterFlush()
        #expect(secure.loop.turn { secure.farSide.closes == 1 })
        #expect(secure.farSide.error == nil)
    }

    @Test func whatATickWritesGoesOutInOneWrite() throws {
        let secure = try SecureConnection(Certificates.server("server"), Certificates.client())
        defer { secure.finish() }
        #expect(secure.reaches())
        let before = secure.connection.near.bytesWritten

        for _ in 0..<100 { secure.near.write([UInt8](repeating: 5, count: 100)) }
        secure.loop.tick(wait: .zero)

        // One record: its head and tag, and what it carries.
        #expect((10_000..<10_100).contains(secure.connection.near.bytesWritten - before))
        #expect(secure.loop.turn { secure.farSide.receivedCount == 10_001 })
    }

    @Test func aSlowReaderHoldsTheWriterBack() throws {
        let secure = try SecureConnection(Certificates.server("server"), Certificates.client())
        defer { secure.finish() }
        secure.farSide.keepsBytes = false
        secure.farSide.onReceive = { stream, bytes in
            stream.pauseReading()
            return bytes.count
        }
        let block = [UInt8](repeating: 3, count: 16 << 20)
        secure.near.write(block)
        #expect(secure.loop.turn { secure.near.isBlocked && secure.far.isPaused })
        secure.near.write(block)
        secure.loop.tick(wait: .zero)
        #expect(secure.near.isBlocked)
        #expect(secure.near.unsentBytes > 1 << 20)

        secure.farSide.onReceive = nil
        secure.far.resumeReading()

        #expect(secure.loop.turn { secure.farSide.receivedCount == 32 << 20 })
        #expect(secure.loop.turn { secure.nearSide.drains >= 1 && secure.near.unsentBytes == 0 })
    }

    @Test func whatIsNotConsumedComesAgain() throws {
        let secure = try SecureConnection(Certificates.server("server"), Certificates.client())
        defer { secure.finish() }
        secure.farSide.onReceive = { _, bytes in bytes.count < 300 ? 0 : bytes.count }
        for part in 0..<3 {
            secure.near.write([UInt8](repeating: UInt8(part), count: 100))
            let calls = secure.farSide.calls
            #expect(secure.loop.turn { secure.farSide.calls > calls })
        }
        #expect(secure.farSide.receivedCount == 300)
    }

    @Test func theLastWordsArriveThoughTheWriterIsGone() throws {
        let secure = try SecureConnection(Certificates.server("server"), Certificates.client())
        defer { secure.finish() }
        #expect(secure.reaches())
        secure.far.write([UInt8](repeating: 9, count: 3 << 20))
        secure.far.closeAfterFlush()

        #expect(secure.loop.turn { secure.nearSide.closes == 1 })
        #expect(secure.nearSide.receivedCount == 3 << 20)
        #expect(secure.nearSide.error == nil)
    }

    /// What each of these servers, one after the other, sends one client for a byte each way.
    private func bytesSent(by servers: [TLSServerContext]) throws -> [UInt64] {
        let client = try Certificates.client()
        return try servers.map { server in
            let secure = try SecureConnection(server, client)
            defer { secure.finish() }
            #expect(secure.reaches())
            secure.far.write([1])
            #expect(secure.loop.turn { secure.nearSide.received == [1] })
            return secure.connection.far.bytesWritten
        }
    }

    @Test func aSessionIsResumed() throws {
        let server = try Certificates.server("server")

        let sizes = try bytesSent(by: [server, server])

        // No certificate goes over the link again.
        #expect(sizes[1] < sizes[0] - 300)
    }

    @Test func newTicketKeysAreTakenOver() throws {
        let server = try Certificates.server("server")
        let renewed = try Certificates.server("server")
        renewed.takeTicketKeys(of: server)

        let sizes = try bytesSent(by: [server, renewed])

        #expect(sizes[1] < sizes[0] - 300)
    }
}

@Suite struct TLSVerificationTests {
    @Test(arguments: [
        ("server", "localhost", ""), ("server", "127.0.0.1", ""), ("server", "127.0.0.2", "IP address mismatch"),
        ("server", "elsewhere", "hostname mismatch"), ("expired", "localhost", "certificate has expired"),
        ("unknown", "localhost", "unable to get local issuer certificate"),
    ])
    func serversAreVerified(certificate: String, host: String, reason: String) throws {
        let secure = try SecureConnection(Certificates.server(certificate), Certificates.client(), host: host)
        defer { secure.finish() }

        #expect(secure.reaches() == reason.isEmpty)
        guard !reason.isEmpty else { return }
        #expect(secure.loop.turn { secure.nearSide.closes == 1 && secure.farSide.closes == 1 })
        #expect("\(try #require(secure.nearSide.error))".contains(reason))
        // The other side hears of it by an alert.
        #expect("\(try #require(secure.farSide.error))".contains("alert"))
    }

    @Test(arguments: [("localhost", "server"), ("other.test", "other"), ("deep.other.test", "other"), ("", "server")])
    func theCertificateIsForTheNameAskedFor(name: String, certificate: String) throws {
        let client = try Certificates.client { $0.serverName = name }
        let secure = try SecureConnection(Certificates.server("server", "other"), client, host: "127.0.0.1")
        defer { secure.finish() }

        #expect(secure.reaches() == true)
        #expect(secure.near.peerCertificate?.commonName == (certificate == "server" ? "localhost" : "other.test"))
    }

    @Test(arguments: [
        ("client", true, true), ("client", false, true), (nil, false, true), (nil, true, false),
        ("unknown", false, false),
        ("revoked", false, false), ("expired", true, false),
    ])
    func clientsAreVerified(certificate: String?, isRequired: Bool, isServed: Bool) throws {
        let server = try Certificates.server("server") {
            $0.clientAuthorities = Certificates.path("authority.pem")
            $0.revoked = Certificates.path("revoked.crl.pem")
            $0.requiresClientCertificate = isRequired
        }
        let client = try Certificates.client { $0.credentials = certificate.map(Certificates.credentials) }
        let secure = try SecureConnection(server, client)
        defer { secure.finish() }

        #expect(secure.reaches() == isServed)
        guard isServed else { return }
        let shown = certificate.map { _ in "O=Plant,CN=sensor-7" }
        #expect(secure.far.peerCertificate?.subject == shown)
        #expect(secure.far.peerCertificate?.commonName == certificate.map { _ in "sensor-7" })
        #expect(secure.far.peerCertificate?.alternativeName == certificate.map { _ in "sensor-7.plant.test" })
    }

    @Test(arguments: [
        ("absent", "server", "No such file or directory"), ("server", "absent", "No such file or directory"),
        ("server", "client", "is not the key of the certificate"), ("make", "make", "no certificate in PEM form"),
    ])
    func badFilesAreRefusedByName(certificate: String, key: String, reason: String) {
        func file(_ name: String, _ suffix: String) -> String {
            Certificates.path(name == "make" ? "make" : name + suffix)
        }
        let credentials = TLSCredentials(certificate: file(certificate, ".pem"), key: file(key, ".key"))
        do {
            _ = try TLSServerContext(TLSServerContext.Options(credentials: [credentials]))
            Issue.record("it was taken")
        } catch {
            #expect("\(error)".contains(reason), "\(error)")
        }
    }

    @Test func anExpiredCertificateIsWarnedOf() throws {
        #expect(try Certificates.server("expired").warnings.contains { $0.reason.contains("expired") })
    }
}

@Suite struct TLSHostilityTests {
    /// What comes to a port that speaks TLS, and isn't.
    @Test(arguments: [
        Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), [0x10, 0x0C, 0, 4, 0x4D, 0x51, 0x54, 0x54, 5, 2, 0, 60, 0, 0],
        [UInt8](repeating: 0, count: 64), [0x16, 3, 1, 0xFF, 0xFF, 1],
    ])
    func whatIsNotTLSIsClosed(bytes: [UInt8]) throws {
        let connection = try Connection()
        defer { connection.finish() }
        let far = try TLSStream(server: Certificates.server("server"), over: connection.far)
        far.delegate = connection.farSide

        connection.near.write(bytes)
        if bytes.first == 0x16 { connection.near.closeAfterFlush() }

        #expect(connection.loop.turn { connection.farSide.closes == 1 })
        #expect("\(try #require(connection.farSide.error))".contains("TLS: "))
        #expect(connection.farSide.calls == 0)
    }

    @Test func garbageAtAnyPlaceOfTheStreamClosesIt() throws {
        let (server, client) = try (Certificates.server("server"), Certificates.client())
        var random = SplitMix64(state: 7)
        for _ in 0..<40 {
            let secure = try SecureConnection(server, client)
            #expect(secure.reaches())
            let noise = (0..<Int.random(in: 5..<400, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            secure.connection.near.write([0x17, 3, 3, 0, 200] + noise)
            secure.connection.near.closeAfterFlush()
            #expect(secure.loop.turn { secure.farSide.closes == 1 })
            #expect(secure.farSide.received == [7])
            secure.finish()
        }
    }

    @Test func aStreamIsFreedWhenItIsClosed() throws {
        weak var stream: TLSStream?
        do {
            let secure = try SecureConnection(Certificates.server("server"), Certificates.client())
            #expect(secure.reaches())
            stream = secure.far
            secure.finish()
        }
        #expect(stream == nil)
    }
}
