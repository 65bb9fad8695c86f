import Glibc
import Testing

extension EndToEndTests {
    /// TLS with mosquitto's clients, a mosquitto and OpenSSL at the other end.
    @Suite(.enabled(if: Programs.mosquittoPub != nil && Programs.openssl != nil, "needs mosquitto-clients and openssl"))
    struct TLSTests {
        static func certificate(_ name: String) -> String { "\(Programs.package)/Tests/Certificates/\(name)" }

        /// A listener's or an uplink's table: names of files in Tests/Certificates, and other settings as they are.
        static func listener(_ port: UInt16, _ tls: String) -> String {
            """
            [[listener]]
            bind = "127.0.0.1:\(port)"
            tls = { certificate = "\(certificate("server.pem"))", key = "\(certificate("server.key"))"\(tls) }
            """
        }

        @Test func mosquittosClientsArePublishersAndSubscribers() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let roostd = try Roostd(
                scenario, Self.listener(port, ", client_ca = \"\(Self.certificate("authority.pem"))\""))
            try roostd.start()
            let trust = ["--cafile", Self.certificate("authority.pem")]
            let subscriber = try scenario.subscribe(
                ["-V", "mqttv5", "-t", "a/#", "-q", "1", "-C", "2"] + trust, to: port)

            try scenario.publish(["-t", "a/1", "-m", "over TLS", "-q", "1"] + trust, to: port)
            let own = ["--cert", Self.certificate("client.pem"), "--key", Self.certificate("client.key")]
            try scenario.publish(["-t", "a/2", "-m", "with a certificate", "-q", "1"] + trust + own, to: port)

            #expect(try scenario.finish(subscriber) == 0)
        }

        @Test func roostsCommandsSpeakTLS() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let roostd = try Roostd(
                scenario,
                Self.listener(port, ", client_ca = \"\(Self.certificate("authority.pem"))\", require_client = true"))
            try roostd.start()
            let url = ["--url", "mqtts://localhost:\(port)"]
            let trust = ["--cafile", Self.certificate("authority.pem")]
            let own = ["--cert", Self.certificate("client.pem"), "--key", Self.certificate("client.key")]

            _ = try scenario.run(
                Programs.roost, ["pub"] + url + trust + own + ["-t", "a", "-m", "kept", "-r", "-q", "1"])
            let text = try scenario.run(Programs.roost, ["sub"] + url + trust + own + ["-t", "a", "-C", "1"])
            #expect(text.contains("kept"))

            // Without a certificate of our own, without an authority that is known.
            for words in [trust, own] {
                let child = try scenario.spawn(
                    Programs.roost, ["pub"] + url + words + ["-t", "a", "-m", "x", "-q", "1"], name: "refused")
                #expect(try scenario.finish(child) == 3)
                #expect(child.errors.contains("TLS: "), "\(child.errors)")
            }
        }

        @Test func oldProtocolsAndCiphersAreRefused() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let roostd = try Roostd(scenario, Self.listener(port, ""))
            try roostd.start()

            for (words, isServed) in [
                (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], false), (["-tls1_2", "-cipher", "AES128-SHA"], false),
                (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384"], false), (["-tls1_2"], true), (["-tls1_3"], true),
            ] {
                let child = try scenario.spawn(
                    "/bin/sh",
                    ["-c", "exec openssl s_client -connect 127.0.0.1:\(port) \"$@\" </dev/null", "sh"] + words,
                    name: "s_client")
                #expect((try scenario.finish(child) == 0) == isServed, "\(words)")
            }
        }

        @Test func anUplinkShowsItsCertificateAndLosesNothing() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let cloud = try Roostd(
                scenario, name: "cloud",
                Self.listener(port, ", client_ca = \"\(Self.certificate("authority.pem"))\", require_client = true")
                    + "\n[ingest]\nenabled = true\n")
            let edge = try Roostd(
                scenario, name: "edge",
                """
                [[uplink]]
                name = "cloud"
                urls = ["mqtts://localhost:\(port)"]
                reconnect = { min = "100ms", max = "1s" }
                tls = { ca = "\(Self.certificate("authority.pem"))", certificate = "\(Self.certificate("client.pem"))", key = "\(Self.certificate("client.key"))" }
                [[uplink.route]]
                filter = "#"
                """)
            try edge.start()
            for number in 1...20 {
                try scenario.publish(["-t", "plant/x", "-m", "\(number)", "-q", "1"], to: edge.port)
            }
            try cloud.start()
            let subscriber = try scenario.subscribe(["-t", "plant/#", "-q", "1", "-C", "40"], to: cloud.port)

            for number in 21...40 {
                try scenario.publish(["-t", "plant/x", "-m", "\(number)", "-q", "1"], to: edge.port)
            }
            // The first twenty may have come before the subscriber; the others can't.
            try scenario.wait("the last message") { subscriber.lines.contains("40") }
            // What isn't TLS is named in the log, once.
            for _ in 0..<3 { _ = try? scenario.publish(["-t", "x", "-m", "plain"], to: port) }
            try scenario.wait("the line") { cloud.child?.errors.contains("the peer doesn't speak TLS") == true }
            #expect(cloud.child?.errors.split(separator: "\n").filter { $0.contains("speak TLS") }.count == 1)
            let test = try scenario.run(
                Programs.roost, ["uplink", "test", "cloud", "--socket", edge.data + "/admin.sock"])
            #expect(test.contains("trust localhost") && test.contains("TLSv1.3"))
        }

        @Test func certificatesThatCannotBeUsedAreNamedBeforeAnythingListens() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            for (certificate, key, isFatal, text) in [
                ("server.pem", "client.key", true, "is not the key of the certificate"),
                ("absent.pem", "server.key", true, "No such file or directory"),
                ("make", "server.key", true, "no certificate in PEM form"),
                ("expired.pem", "expired.key", false, "the certificate has expired"),
            ] {
                let roostd = try Roostd(
                    scenario, name: "tls",
                    """
                    [[listener]]
                    bind = "127.0.0.1:\(try Ports.free())"
                    tls.certificate = "\(Self.certificate(certificate))"
                    tls.key = "\(Self.certificate(key))"
                    """)
                for words in [["--check"], []] where isFatal || !words.isEmpty {
                    let child = try scenario.spawn(
                        Programs.roostd, ["-c", roostd.configuration] + words, name: "roostd")
                    #expect(try scenario.finish(child) == 1)
                    let line = child.errors.split(separator: "\n").first { $0.contains(text) }
                    #expect(line?.contains("tls.toml:") == true, "\(child.errors)")
                }
            }
        }

        @Test func certificatesAreReadAgainOnSIGHUP() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let (certificate, key) = (scenario.directory.path(of: "own.pem"), scenario.directory.path(of: "own.key"))
            func install(_ name: String) throws {
                for (suffix, place) in [("pem", certificate), ("key", key)] {
                    _ = try scenario.run("cp", [Self.certificate("\(name).\(suffix)"), place])
                }
            }
            try install("server")
            let roostd = try Roostd(
                scenario,
                "[[listener]]\nbind = \"127.0.0.1:\(port)\"\ntls = { certificate = \"\(certificate)\", key = \"\(key)\" }"
            )
            try roostd.start()
            let trust = ["--cafile", Self.certificate("authority.pem")]
            let subscriber = try scenario.subscribe(["-t", "a", "-C", "1"] + trust, to: port)

            try install("other")
            roostd.child?.send(SIGHUP)
            try scenario.wait("the new certificate is shown") {
                let child = try scenario.spawn(
                    "/bin/sh",
                    ["-c", "openssl s_client -connect 127.0.0.1:\(port) </dev/null 2>/dev/null | grep -q other.test"],
                    name: "s_client")
                return try scenario.finish(child) == 0
            }

            // Who was connected before still is.
            try scenario.publish(["-t", "a", "-m", "still here"], to: roostd.port)
            #expect(try scenario.finish(subscriber) == 0)
        }
    }
}
