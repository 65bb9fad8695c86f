import Testing

@testable import Configuration

/// `--set KEY=VALUE` and `ROOST_` variables.
@Suite struct OverrideTests {
    @Test func optionBeforeVariableBeforeFile() throws {
        let text = "[log]\nlevel = \"debug\"\nformat = \"json\"\n[store]\nbudget = \"3GiB\""
        let result = try settings(
            text, set: [("log.level", "error")],
            environment: ["ROOST_LOG__LEVEL": "trace", "ROOST_STORE__BUDGET": "2GiB"])

        #expect(result.log.level == .error)
        #expect(result.log.format == .json)
        #expect(result.store.budgetBytes == 2 << 30)
    }

    @Test func itemsOfArraysAreChangedAndAdded() throws {
        let result = try settings(
            "[[listener]]\nmax_connections = 5",
            set: [
                ("listener.0.bind", "127.0.0.1:1884"), ("listener.1.bind", "\"[::1]:1885\""), ("uplink.0.name", "u"),
                ("uplink.0.urls.0", "mqtt://a"), ("uplink.0.urls.1", "mqtt://b"), ("uplink.0.route.0.filter", "x"),
                ("uplink.0.route.1.filter", "y"), ("uplink.0.route.1.batch.bytes", "64KiB"),
            ])

        #expect(result.listeners.map(\.bind.description) == ["127.0.0.1:1884", "[::1]:1885"])
        #expect(result.listeners.map(\.maxConnections) == [5, 10000])
        #expect(result.uplinks[0].urls.map(\.host) == ["a", "b"])
        #expect(result.uplinks[0].routes.map(\.filter) == ["x", "y"])
        #expect(result.uplinks[0].routes[1].batch.bytes == 65536)
    }

    @Test func variablesCreateItemsInTheOrderOfTheirIndexes() throws {
        var environment: [String: String] = [:]
        for index in 0..<12 { environment["ROOST_LISTENER__\(index)__BIND"] = "127.0.0.1:\(2000 + index)" }

        let ports = try settings("", environment: environment).listeners.map(\.bind)

        #expect(ports == (0..<12).map { .network(host: "127.0.0.1", port: UInt16(2000 + $0)) })
    }

    @Test(arguments: [
        ("7", "7"), ("true", "true"), ("\"q\"", "q"), ("2024-01-01", "2024-01-01"), ("a b", "a b"), ("1e3", "1e3"),
    ])
    func textsNeedNoQuotes(value: String, expected: String) throws {
        #expect(try settings("", set: [("node.id", value)]).node.id == expected)
    }

    @Test func tomlValues() throws {
        let result = try settings("", set: [("node.labels", "{ site = \"a\" }"), ("node.labels.\"x.y\"", "b")])
        #expect(result.node.labels == ["site": "a", "x.y": "b"])
    }

    static let wrong: [(String, String, String)] = [
        ("listener.0.bind", "127.0.0.1:0", "--set listener.0.bind: 0 is not a port (1-65535)"),
        ("listener.1.bind", "a:1", "--set listener.1.bind: listener has 0 items, the next is listener.0"),
        ("listener.bind", "a:1", "--set listener.bind: a table is not an array of tables ([[listener]])"),
        ("log.lvl", "info", "--set log.lvl: unknown key; did you mean level?"),
        ("log.level.x", "1", "--set log.level.x: log.level is not a table"),
        ("log..level", "1", "--set log..level: not a setting's name: expected a key"),
        (
            "shutdown_seconds", "soon",
            "--set shutdown_seconds: \"soon\" is not a time (seconds, or like \"250ms\", \"2h\" or \"30d\")"
        ),
    ]

    @Test(arguments: wrong)
    func wrongOptionIsNamed(key: String, value: String, expected: String) {
        let text = key.hasPrefix("log.level.") ? "[log]\nlevel = \"info\"" : ""
        #expect(messages(text, set: [(key, value)]) == [expected])
    }

    @Test(arguments: [
        ("ROOST_STORE__BUDGET", "1", "ROOST_STORE__BUDGET: 1 is too small (at least 16MiB)"),
        ("ROOST_STOR__BUDGET", "1", "ROOST_STOR__BUDGET: unknown key; did you mean store?"),
        ("ROOST_STORE____X", "1", "ROOST_STORE____X: not a setting's name (ROOST_STORE__BUDGET is store.budget)"),
    ])
    func wrongVariableIsNamed(name: String, value: String, expected: String) {
        #expect(messages("", environment: [name: value]) == [expected])
    }

    @Test func otherProgramsVariablesAreLeftAlone() {
        let environment = [
            "ROOST_MQTT_URL": "x", "ROOST_BIN": "y", "ROOST_SOCKET": "z", "ROOSTER": "w", "PATH": "/",
            "ROOST_SERVICE_HOST": "10.0.0.1", "ROOST_PORT": "tcp://10.0.0.1:1883", "ROOST_PORT_1883_TCP_PORT": "1883",
        ]
        #expect(messages("", environment: environment) == [])
    }

    /// Whatever else the name of the program begins is no reason not to start; what has a setting's form is meant as one.
    @Test func namesThatAreNoSettingsAreIgnoredWithAWarning() throws {
        let environment = [
            "ROOST_PYTHON": "/usr/bin/python3", "ROOST_LOPS": "2", "ROOST_SHUTDOWN_SECONDS": "7",
            "ROOST_NODE": "{ id = \"n\" }",
        ]
        let result = try settings("", environment: environment)

        #expect(result.shutdown == .seconds(7))
        #expect(result.node.id == "n")
        #expect(
            result.warnings.sorted() == [
                "ROOST_LOPS is no setting, and is ignored; did you mean ROOST_LOOPS?",
                "ROOST_PYTHON is no setting, and is ignored",
            ])
        #expect(messages("[stor]\nbudget = 1", environment: environment).count == 1)
    }
}
