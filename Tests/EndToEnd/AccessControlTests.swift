import Glibc
import Testing

extension EndToEndTests {
    /// Users by token, certificate and socket, and rights that are taken away, with programs that others wrote.
    @Suite(.enabled(if: Programs.mosquittoPub != nil && Programs.openssl != nil, "needs mosquitto-clients and openssl"))
    struct AccessControlTests {
        private static func hash(_ scenario: Scenario, _ password: String) throws -> String {
            let input = try scenario.directory.write("input", password + "\n")
            let text = try scenario.run(
                "/bin/sh",
                ["-c", "exec \"$@\" <\(input)", "sh", Programs.roost, "passwd", "-", "u", "--iterations", "100"],
                name: "hash")
            return String(text.split(separator: "\n").last ?? "")
        }

        // MARK: Reloading

        @Test func aReloadTakesRightsFromLiveAndStoredSessions() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let hash = try Self.hash(scenario, "p")
            func settings(_ reads: String, _ more: String = "") -> String {
                """
                [access]
                [[access.user]]
                name = "pump"
                password = "\(hash)"
                publish = ["#"]
                [[access.user]]
                name = "app"
                password = "\(hash)"
                subscribe = [\(reads)]
                \(more)
                """
            }
            let roostd = try Roostd(scenario, settings("\"a\", \"b\""))
            try roostd.start()
            let app = ["-u", "app", "-P", "p", "-q", "1"]
            func publish(_ topic: String, _ text: String) throws {
                try scenario.publish(["-u", "pump", "-P", "p", "-t", topic, "-m", text, "-q", "1"], to: roostd.port)
            }
            let live = try scenario.subscribe(app + ["-i", "live", "-t", "#", "-v"], to: roostd.port, name: "live")
            let away = try scenario.subscribe(
                app + ["-i", "away", "-c", "-t", "#", "-v"], to: roostd.port, name: "away")
            try publish("a", "1")
            try scenario.wait("the first") { live.output.contains("a 1") && away.output.contains("a 1") }
            away.kill()
            try publish("a", "2")
            try publish("b", "2")

            // A bad file changes nothing.
            try roostd.configure(settings("\"b\"", "[access.nonsense]"))
            let socket = ["--socket", roostd.data + "/admin.sock"]
            let refused = try scenario.spawn(Programs.roost, ["reload"] + socket, name: "reload")
            #expect(try scenario.finish(refused) == 1)
            #expect(
                refused.errors.contains("nothing has changed") && refused.errors.contains("access.nonsense"),
                "\(refused.errors)")
            try publish("a", "3")
            try scenario.wait("what it may still read") { live.output.contains("a 3") }

            try roostd.configure(settings("\"b\""))
            _ = try scenario.run(Programs.roost, ["reload"] + socket)
            try publish("a", "4")
            try publish("b", "4")
            try scenario.wait("what is left") { live.output.contains("b 4") }
            #expect(!live.output.contains("a 4"))
            let back = try scenario.subscribe(
                app + ["-i", "away", "-c", "-t", "#", "-v"], to: roostd.port, name: "back")
            try scenario.wait("what waited") { back.output.contains("b 4") }
            #expect(back.output.contains("b 2"))
            #expect(!back.output.contains("\na "), "\(back.output)")

            // By signal, and the user is gone.
            try roostd.configure(
                "[access]\n[[access.user]]\nname = \"pump\"\npassword = \"\(hash)\"\npublish = [\"#\"]\n")
            roostd.child?.send(SIGHUP)
            try scenario.wait("the connections to end") { roostd.log.contains("2 connections ended") }
            live.kill()
            #expect(roostd.log.contains("user app may not stay"))
        }

        // MARK: Tokens

        @Test(.enabled(if: Programs.python != nil, "needs Python"), arguments: ["HS256", "RS256", "ES256"])
        func tokens(algorithm: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let (own, shown) = (scenario.directory.path(of: "own.key"), scenario.directory.path(of: "shown.key"))
            switch algorithm {
            case "HS256":
                _ = try scenario.directory.write("own.key", String(repeating: "s3", count: 20) + "\n")
                _ = try scenario.run("cp", ["-p", own, shown])
            case "RS256":
                _ = try scenario.run("openssl", ["genpkey", "-algorithm", "RSA", "-out", own])
                _ = try scenario.run("openssl", ["pkey", "-in", own, "-pubout", "-out", shown])
            default:
                _ = try scenario.run(
                    "openssl", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", own])
                _ = try scenario.run("openssl", ["pkey", "-in", own, "-pubout", "-out", shown])
            }
            func token(_ claims: String, key: String? = nil) throws -> String {
                let script = Programs.package + "/Tests/EndToEnd/Scripts/json_web_token.py"
                let text = try scenario.run(
                    Programs.python ?? "python3", [script, algorithm, key ?? own, claims], name: "token")
                return String(text.split(separator: "\n").last ?? "")
            }
            let roostd = try Roostd(
                scenario, "[access]\njwt = { key_file = \"\(shown)\", algorithms = [\"\(algorithm)\"] }")
            try roostd.start()
            let now = time(nil)
            let truck = try token(
                "{\"sub\": \"truck\", \"exp\": \(now + 3600), \"publish\": [\"truck/#\"], \"subscribe\": [\"cmd/#\", \"truck/1\"]}"
            )
            let subscriber = try scenario.subscribe(
                ["-V", "mqttv5", "-i", "t", "-u", "truck", "-P", truck, "-t", "#", "-v", "-q", "1"], to: roostd.port)

            for topic in ["other", "truck/2", "truck/1"] {
                try scenario.publish(
                    ["-V", "mqttv5", "-u", "ignored", "-P", truck, "-t", topic, "-m", "x", "-q", "1"], to: roostd.port)
            }
            try scenario.wait("what it may read") { subscriber.output.contains("truck/1 x") }
            #expect(!subscriber.output.contains("truck/2 x") && !subscriber.output.contains("other x"))
            #expect(roostd.log.contains("user truck"))

            let late = try token("{\"sub\": \"truck\", \"exp\": \(now - 1)}")
            let early = try token("{\"sub\": \"truck\", \"nbf\": \(now + 3600)}")
            for bad in [late, early, String(truck.dropLast(8)) + "AAAAAAAA"] {
                let child = try scenario.spawn(
                    Programs.mosquittoPub ?? "",
                    [
                        "-h", "127.0.0.1", "-p", "\(roostd.port)", "-V", "mqttv5", "-u", "x", "-P", bad, "-t",
                        "truck/1", "-m", "x",
                    ],
                    name: "bad")
                #expect(try scenario.finish(child) == 0x86)
            }

            // One that expires while its bearer is connected.
            let brief = try token("{\"sub\": \"brief\", \"exp\": \(time(nil) + 3), \"subscribe\": [\"#\"]}")
            let child = try scenario.subscribe(
                ["-V", "mqttv5", "-u", "x", "-P", brief, "-t", "#"], to: roostd.port, name: "brief")
            try scenario.wait("the end of its token") { roostd.log.contains("its login has expired") }
            child.kill()
        }

        // MARK: Certificates and sockets

        @Test(arguments: [("cn", "sensor-7"), ("subject", "O=Plant,CN=sensor-7"), ("san", "sensor-7.plant.test")])
        func certificatesNameUsers(source: String, name: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let list = try scenario.directory.write("acl", "user \(name)\ntopic plant/7\npattern read cmd/%u\n")
            let roostd = try Roostd(
                scenario,
                TLSTests.listener(
                    port,
                    ", client_ca = \"\(TLSTests.certificate("authority.pem"))\", require_client = true, user_from = \"\(source)\""
                )
                    + "\n[access]\nacl_file = \"\(list)\"\n")
            try roostd.start()
            let own = [
                "--cafile", TLSTests.certificate("authority.pem"), "--cert", TLSTests.certificate("client.pem"),
                "--key",
                TLSTests.certificate("client.key"), "-V", "mqttv5",
            ]
            let subscriber = try scenario.subscribe(own + ["-i", "app", "-t", "#", "-v"], to: port)

            // What it says of itself counts for nothing.
            for topic in ["plant/8", "plant/7"] {
                try scenario.publish(own + ["-u", "root", "-P", "x", "-t", topic, "-m", "x", "-q", "1"], to: port)
            }

            try scenario.wait("what it may") { subscriber.output.contains("plant/7 x") }
            #expect(!subscriber.output.contains("plant/8 x"))
            let clients = try scenario.run(
                Programs.roost, ["clients", "show", "app", "--socket", roostd.data + "/admin.sock"])
            #expect(clients.contains(name), "\(clients)")
        }

        @Test func socketsNameUsers() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let own = try scenario.run("id", ["-un"]).split(separator: "\n").first.map(String.init) ?? ""
            let list = try scenario.directory.write("acl", "user \(own)\ntopic plant/7\n")
            let path = scenario.directory.path(of: "s")
            let roostd = try Roostd(
                scenario,
                "[[listener]]\nbind = \"unix:\(path)\"\nuser_from = \"peer\"\n[access]\nacl_file = \"\(list)\"\n")
            try roostd.start()
            let subscriber = try scenario.spawn(
                "stdbuf", ["-oL", Programs.mosquittoSub ?? "", "--unix", path, "-t", "#", "-v", "-d"], name: "sub")
            try scenario.wait("SUBACK") { subscriber.output.contains("Subscribed") }

            for topic in ["plant/8", "plant/7"] {
                _ = try scenario.run(
                    Programs.mosquittoPub ?? "", ["--unix", path, "-t", topic, "-m", "x", "-q", "1"], name: "pub")
            }

            try scenario.wait("what it may") { subscriber.output.contains("plant/7 x") }
            #expect(!subscriber.output.contains("plant/8 x"))
        }

        @Test func whereNamesDoNotComeFrom() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(
                scenario, "[[listener]]\nbind = \"127.0.0.1:\(try Ports.free())\"\nuser_from = \"peer\"")
            let child = try scenario.spawn(Programs.roostd, ["-c", roostd.configuration, "--check"], name: "check")

            #expect(try scenario.finish(child) == 1)
            #expect(child.errors.contains("listener.user_from: \"peer\" is for Unix sockets"), "\(child.errors)")
        }

        // MARK: Batches

        /// What a node may not publish itself it can't publish in a batch either.
        @Test func batchesCarryNoRights() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let hash = try Self.hash(scenario, "p")
            let cloud = try Roostd(
                scenario, name: "cloud",
                """
                [ingest]
                enabled = true
                [[access.user]]
                name = "edge"
                password = "\(hash)"
                publish = ["roost/batch/#", "plant/#"]
                [[access.user]]
                name = "app"
                password = "\(hash)"
                subscribe = ["#"]
                """)
            try cloud.start()
            let password = try scenario.directory.write("password", "p\n")
            let edge = try Roostd(
                scenario, name: "edge",
                """
                [[uplink]]
                name = "cloud"
                urls = ["mqtt://127.0.0.1:\(cloud.port)"]
                username = "edge"
                password_file = "\(password)"
                [[uplink.route]]
                filter = "plant/#"
                [[uplink.route]]
                filter = "other/#"
                """)
            try edge.start()
            let app = try scenario.subscribe(["-u", "app", "-P", "p", "-t", "#", "-v", "-q", "1"], to: cloud.port)

            try scenario.publish(["-t", "other/1", "-m", "x", "-q", "1"], to: edge.port)
            try scenario.publish(["-t", "plant/1", "-m", "x", "-q", "1"], to: edge.port)

            try scenario.wait("what it may") { app.output.contains("plant/1 x") }
            try scenario.wait("the refusal") { cloud.log.contains("other/1") }
            #expect(!app.output.contains("\nother/1 x"))
        }
    }
}
