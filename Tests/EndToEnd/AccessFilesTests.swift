import Glibc
import Testing

extension EndToEndTests {
    /// Password files of mosquitto_passwd and access lists of mosquitto, with mosquitto's clients, beside a mosquitto.
    @Suite(
        .enabled(
            if: Programs.mosquittoPub != nil && Programs.mosquittoPasswd != nil && Programs.mosquitto != nil,
            "needs mosquitto, mosquitto_passwd and mosquitto-clients"))
    struct AccessFilesTests {
        static let users = ["alice": "secret", "bob": "hunter 2", "carl": "x", "root": "r"]

        static func passwords(_ scenario: Scenario) throws -> String {
            let path = try scenario.directory.write("passwd", "")
            for (name, password) in users {
                let kind = name == "carl" ? "sha512" : "sha512-pbkdf2"
                _ = try scenario.run(
                    Programs.mosquittoPasswd ?? "", ["-H", kind, "-b", path, name, password], name: "mosquitto_passwd")
            }
            return path
        }

        static func login(_ user: String) -> [String] {
            users[user].map { ["-u", user, "-P", $0] } ?? []
        }

        static let list = """
            # for those without a name
            topic read public/#
            topic write in

            user alice
            topic readwrite plant/#
            topic deny plant/secret/#
            topic own
            topic read $SYS/#
            user bob
            topic read +/temperature
            topic write public/bob
            user root
            topic #

            pattern write dev/%c/#
            pattern read home/%u/+
            pattern deny home/bob/private
            """

        /// What every user hears of what every user publishes: the same at a mosquitto and at roostd.
        @Test func listsMeanWhatTheyMeanToMosquitto() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let passwords = try Self.passwords(scenario)
            let list = try scenario.directory.write("acl", Self.list)
            let mosquitto = try Mosquitto(
                scenario, settings: "allow_anonymous true\npassword_file \(passwords)\nacl_file \(list)\n")
            try mosquitto.start()
            let roostd = try Roostd(scenario, Self.access(passwords, list))
            try roostd.start()
            let topics = [
                "public/x", "public/bob", "in", "plant/1", "plant", "plant/secret/1", "plant/temperature", "own",
                "other",
                "dev/pub-alice/1", "dev/pub-bob/1", "dev/pub-/1", "home/alice/x", "home/bob/x", "home/bob/private",
                "$x/y",
            ]

            let heard = try [mosquitto.port, roostd.port].map { port in
                try Self.heard(scenario, port, topics)
            }

            #expect(heard[0] == heard[1])
            #expect(heard[0].count > 15)
        }

        static func access(_ passwords: String, _ list: String, _ more: String = "") -> String {
            "[access]\npassword_file = \"\(passwords)\"\nacl_file = \"\(list)\"\n\(more)"
        }

        private static func heard(_ scenario: Scenario, _ port: UInt16, _ topics: [String]) throws -> [String] {
            let everybody = ["", "alice", "bob", "carl", "root"]
            // The last message, which everybody may hear, says that all before has come.
            let listeners = try everybody.map { user in
                try scenario.subscribe(
                    [
                        "-i", "sub-\(user)", "-t", "#", "-t", "home/\(user)/+", "-t", "+/temperature", "-t", "public/#",
                        "-v",
                    ]
                        + login(user), to: port, name: "sub-\(user)-\(port)")
            }
            for user in everybody {
                for topic in topics {
                    try scenario.publish(
                        ["-i", "pub-\(user)", "-t", topic, "-m", "by \(user)", "-q", "1"] + login(user), to: port)
                }
            }
            for (user, listener) in zip(everybody, listeners) where user == "" {
                try scenario.publish(["-t", "public/bob", "-m", "the end", "-q", "1"] + login("bob"), to: port)
                try scenario.wait("the end") { listener.output.contains("the end") }
            }
            try scenario.publish(
                ["-i", "pub-alice", "-t", "plant/temperature", "-m", "the end", "-q", "1"] + login("alice"), to: port)
            for (user, listener) in zip(everybody, listeners) where ["alice", "bob", "root"].contains(user) {
                try scenario.wait("the end") { listener.output.contains("plant/temperature the end") }
            }
            return zip(everybody, listeners).flatMap { user, listener in
                Set(listener.output.split(separator: "\n").filter { $0.contains(" by ") && !$0.hasPrefix("Client") })
                    .sorted().map { "\(user): \($0)" }
            }
        }

        @Test(arguments: ["mqttv311", "mqttv5"]) func refusalsAreTheProtocols(version: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let passwords = try Self.passwords(scenario)
            let list = try scenario.directory.write("acl", Self.list)
            let roostd = try Roostd(scenario, Self.access(passwords, list, "[admin]\nhttp = \"\""))
            try roostd.start()
            func ends(_ program: String?, _ words: [String]) throws -> (code: Int32, said: String) {
                let child = try scenario.spawn(
                    program ?? "", ["-h", "127.0.0.1", "-p", "\(roostd.port)", "-V", version] + words, name: "client")
                let code = try scenario.finish(child)
                return (code, child.errors + child.output)
            }
            let is5 = version == "mqttv5"

            let wrong = try ends(Programs.mosquittoPub, ["-u", "alice", "-P", "mistake", "-t", "own", "-m", "x"])
            #expect(wrong.code == (is5 ? 0x86 : 4), "\(wrong.said)")
            let unknown = try ends(Programs.mosquittoPub, ["-u", "eve", "-P", "secret", "-t", "own", "-m", "x"])
            #expect(unknown.code == wrong.code)
            let will = try ends(
                Programs.mosquittoPub,
                Self.login("alice") + ["--will-topic", "other", "--will-payload", "w", "-t", "own", "-m", "x"])
            #expect(will.code == (is5 ? 0x87 : 5), "\(will.said)")
            let denied = try ends(Programs.mosquittoSub, Self.login("bob") + ["-t", "plant/secret/#", "-W", "60"])
            #expect(denied.said.contains("All subscription requests were denied"), "\(denied.said)")
            let publish = try ends(Programs.mosquittoPub, Self.login("bob") + ["-t", "other", "-m", "x", "-q", "2"])
            #expect(publish.said.contains("Not authorized") == is5, "\(publish.said)")

            let socket = ["--socket", roostd.data + "/admin.sock"]
            let status = try scenario.run(Programs.roost, ["status"] + socket)
            #expect(status.contains("Refused    2 logins, 2 messages, 1 subscription since the start"), "\(status)")
            let json = try scenario.run(Programs.roost, ["status", "--json"] + socket, name: "status")
            #expect(json.contains("\"authentication_failures\":2"), "\(json)")
            #expect(!roostd.log.contains("hunter") && !roostd.log.contains("mistake"))
        }

        @Test func clientsAreShownWithTheirUsers() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario, "[access]\npassword_file = \"\(try Self.passwords(scenario))\"")
            try roostd.start()
            _ = try scenario.subscribe(["-i", "app", "-t", "a"] + Self.login("alice"), to: roostd.port)

            let text = try scenario.run(Programs.roost, ["clients", "--socket", roostd.data + "/admin.sock"])

            #expect(text.split(separator: "\n").contains { $0.hasPrefix("app") && $0.contains("alice") }, "\(text)")
        }

        @Test func usersHaveLimitsOfTheirOwn() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let passwords = try Self.passwords(scenario)
            func settings(_ limits: String) -> String {
                "[access]\npassword_file = \"\(passwords)\"\n[[access.user]]\nname = \"alice\"\n"
                    + "subscribe = [\"#\", \"$SYS/#\"]\n\(limits)\n"
            }
            let roostd = try Roostd(scenario, settings("limits = { qos = 0 }"))
            try roostd.start()
            let words = ["-t", "a", "-q", "1", "-V", "mqttv5"] + Self.login("alice")
            let limited = try scenario.subscribe(words, to: roostd.port, name: "limited")
            #expect(limited.output.contains("Subscribed (mid: 1): 0"), "\(limited.output)")

            try roostd.configure(settings(""))
            _ = try scenario.run(Programs.roost, ["reload", "--socket", roostd.data + "/admin.sock"])
            let free = try scenario.subscribe(words, to: roostd.port, name: "free")
            #expect(free.output.contains("Subscribed (mid: 1): 1"), "\(free.output)")

            let counts = try scenario.subscribe(
                ["-t", "$SYS/broker/access/#", "-v"] + Self.login("alice"), to: roostd.port, name: "counts")
            try scenario.wait("the counts") {
                counts.output.contains("$SYS/broker/access/authentication/failed 0")
                    && counts.output.contains("$SYS/broker/access/publish/denied 0")
                    && counts.output.contains("$SYS/broker/access/subscribe/denied 0")
            }
        }

        // MARK: Problems

        @Test func badLinesAreNamedBeforeAnythingListens() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let passwords = try scenario.directory.write("passwd", "alice:secret\nbob\n")
            let list = try scenario.directory.write("acl", "topic a\n\ntopic rad b\n")
            let roostd = try Roostd(
                scenario, Self.access(passwords, list, "[[access.user]]\nname = \"a\"\npassword = \"$7$nonsense\""))
            for words in [["--check"], []] {
                let child = try scenario.spawn(Programs.roostd, ["-c", roostd.configuration] + words, name: "roostd")
                #expect(try scenario.finish(child) == 1)
                for text in [
                    "roostd.toml:9: access.password_file: \(passwords):1: no password hash",
                    "access.password_file: \(passwords):2: not NAME:HASH",
                    "access.acl_file: \(list):3: \"rad\" is none of",
                    "access.user.password: a $7$ hash that is cut off",
                ] { #expect(child.errors.contains(text), "\(child.errors)") }
                #expect(!child.errors.contains("secret"))
                #expect(!child.errors.contains("listening"))
            }
        }

        @Test func aPasswordFileThatAllCanReadIsWarnedOf() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let passwords = try Self.passwords(scenario)
            chmod(passwords, 0o644)
            let roostd = try Roostd(scenario, "[access]\npassword_file = \"\(passwords)\"")
            try roostd.start()

            #expect(
                roostd.log.contains(
                    "warning: access.password_file: \(passwords): everybody on this machine can read it"))
            let check = try scenario.spawn(Programs.roostd, ["-c", roostd.configuration, "--check"], name: "check")
            #expect(try scenario.finish(check) == 0)
            #expect(check.errors.contains("everybody on this machine"))
        }

        // MARK: roost passwd

        @Test func roostMakesFilesThatMosquittoReads() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let path = scenario.directory.path(of: "made")
            func passwd(_ words: [String], _ password: String = "") throws -> Child {
                let input = try scenario.directory.write("input", password)
                let child = try scenario.spawn(
                    "/bin/sh", ["-c", "exec \"$@\" <\(input)", "sh", Programs.roost, "passwd"] + words, name: "passwd")
                _ = try scenario.finish(child)
                return child
            }
            #expect(try passwd([path, "alice"], "first\n").exitCode == 0)
            #expect(try passwd([path, "bob"], "bob's\n").exitCode == 0)
            var status = stat()
            stat(path, &status)
            #expect(status.st_mode & 0o777 == 0o600)
            #expect(try passwd([path, "alice"], "sécond").exitCode == 0)
            #expect(try passwd(["-D", path, "bob"]).exitCode == 0)
            #expect(try passwd(["-D", path, "bob"]).exitCode == 1)
            #expect(try passwd([path, "a:b"], "x").exitCode == 2)
            #expect(try passwd([path, "eve"], "").exitCode == 2)
            let hash = try passwd(["-", "carl", "--iterations", "200"], "carl's").output.split(separator: "\n")[0]
            #expect(hash.hasPrefix("$7$200$"))
            #expect(!(try scenario.run("ls", ["-a", scenario.directory.path(of: ".")]).contains("made.new")))

            // mosquitto reads it as well, before roostd is told to.
            chmod(path, 0o644)
            let mosquitto = try Mosquitto(scenario, settings: "allow_anonymous false\npassword_file \(path)\n")
            try mosquitto.start()
            chmod(path, 0o600)
            let roostd = try Roostd(
                scenario,
                "[access]\npassword_file = \"\(path)\"\n[[access.user]]\nname = \"carl\"\npassword = \"\(hash)\"\n"
                    + "[[access.user]]\nname = \"alice\"\npublish = [\"a\"]\n")
            try roostd.start()
            for port in [mosquitto.port, roostd.port] {
                try scenario.publish(["-u", "alice", "-P", "sécond", "-t", "a", "-m", "x", "-q", "1"], to: port)
                for (user, password) in [("alice", "first"), ("bob", "bob's")] {
                    #expect(throws: Failure.self) {
                        try scenario.publish(["-u", user, "-P", password, "-t", "a", "-m", "x"], to: port)
                    }
                }
            }
            try scenario.publish(["-u", "carl", "-P", "carl's", "-t", "a", "-m", "x"], to: roostd.port)
        }
    }
}
