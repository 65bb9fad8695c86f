import Testing

extension EndToEndTests {
    /// Logins that never send the password, by a client that was written apart from all of this.
    @Suite(.enabled(if: Programs.python != nil && Programs.mosquittoPub != nil, "needs Python and mosquitto-clients"))
    struct ScramLoginTests {
        private static let script = Programs.package + "/Tests/EndToEnd/Scripts/scram_login.py"

        @Test func aUserWithAVerifierLogsInEitherWay() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let file = scenario.directory.path(of: "passwd")
            let input = try scenario.directory.write("input", "a pass,word=\n")
            for (user, more) in [("app, one", "--scram"), ("plain", "--iterations=100")] {
                try scenario.run(
                    "/bin/sh", ["-c", "exec \"$@\" <\(input)", "sh", Programs.roost, "passwd", more, file, user])
            }
            let roostd = try Roostd(scenario, "[access]\npassword_file = \"\(file)\"\n")
            try roostd.start()
            func login(_ user: String, _ password: String) throws -> Int32 {
                try scenario.finish(
                    try scenario.spawn(
                        Programs.python ?? "", [Self.script, "\(roostd.port)", user, password, "t"], name: "scram"))
            }

            #expect(try login("app, one", "a pass,word=") == 0)
            try scenario.publish(["-u", "app, one", "-P", "a pass,word=", "-t", "t", "-m", "x"], to: roostd.port)
            // Whoever tries learns nothing: 0x87 for each.
            #expect(try login("app, one", "wrong") == 0x87)
            #expect(try login("plain", "a pass,word=") == 0x87)
            #expect(try login("nobody", "a pass,word=") == 0x87)
            #expect(roostd.log.contains("user app, one: wrong password"))

            // What an unknown user is shown stays the same.
            #expect(try roostd.stop() == 0)
            try roostd.start()
            #expect(try login("app, one", "a pass,word=") == 0)
        }
    }
}
