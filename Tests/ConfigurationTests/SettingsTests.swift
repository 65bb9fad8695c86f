import Testing

@testable import Configuration

/// What values may look like, and what they become.
@Suite struct SettingsTests {
    @Test(arguments: [
        ("0", 0), ("1500", 1500), ("\"1500\"", 1500), ("\"64KiB\"", 65536), ("\"1MB\"", 1_000_000),
        ("\"1.5KiB\"", 1536),
        ("\"2 KiB\"", 2048), ("\"1kB\"", 1000), ("\"10B\"", 10),
    ])
    func size(text: String, bytes: Int) throws {
        #expect(try settings("[limits]\npayload = \(text)").limits.payloadBytes == bytes)
    }

    @Test(arguments: [
        ("0", Duration.zero), ("20", .seconds(20)), ("0.25", .milliseconds(250)), ("\"250ms\"", .milliseconds(250)),
        ("\"1m\"", .seconds(60)), ("\"0.5s\"", .milliseconds(500)), ("\"15\"", .seconds(15)),
        ("\"100us\"", .microseconds(100)),
    ])
    func time(text: String, expected: Duration) throws {
        #expect(try settings("[store]\nsettle = \(text)").store.settle == expected)
    }

    @Test(arguments: [("\"2h\"", 7200), ("\"30d\"", 2_592_000), ("\"1w\"", 604_800), ("3600", 3600)])
    func longTime(text: String, seconds: Int) throws {
        #expect(try settings("[store]\nttl = \(text)").store.ttl == .seconds(seconds))
    }

    @Test(arguments: [
        ("0", 0), ("9600", 9600), ("\"1Mbit\"", 1_000_000), ("\"1Mbit/s\"", 1_000_000), ("\"64KiB/s\"", 524_288),
        ("\"1MB/s\"", 8_000_000), ("\"1Kibit\"", 1024), ("\"2.5kbit\"", 2500),
    ])
    func rate(text: String, bits: Int) throws {
        let uplink = try settings("[[uplink]]\nname = \"u\"\nurls = [\"mqtt://h\"]\negress_rate = \(text)").uplinks[0]
        #expect(uplink.egressBitsPerSecond == bits)
    }

    @Test(arguments: [
        ("22:00-06:00", 1320, 360, [1320, 1439, 0, 359], [360, 720, 1319]),
        ("08:30-24:00", 510, 1440, [510, 1439], [0, 509]),
    ])
    func window(text: String, start: Int, end: Int, inside: [Int], outside: [Int]) throws {
        let window = try DailyWindow(text)

        #expect(window == DailyWindow(startMinute: start, endMinute: end))
        #expect(inside.allSatisfy(window.contains(minute:)) && !outside.contains(where: window.contains(minute:)))
        #expect(window.description == text)
    }

    @Test(arguments: [
        ("127.0.0.1:1883", Endpoint.network(host: "127.0.0.1", port: 1883), true),
        ("[::]:8883", .network(host: "::", port: 8883), false), ("[::1]:1", .network(host: "::1", port: 1), true),
        ("localhost:65535", .network(host: "localhost", port: 65535), true),
        ("127.example.org:1", .network(host: "127.example.org", port: 1), false),
        ("unix:/run/roost/mqtt.sock", .unix(path: "/run/roost/mqtt.sock"), true),
    ])
    func endpoint(text: String, expected: Endpoint, isLoopback: Bool) throws {
        let endpoint = try settings("[[listener]]\nbind = \"\(text)\"").listeners[0].bind

        #expect(endpoint == expected)
        #expect(endpoint.isLoopback == isLoopback)
        #expect(endpoint.description == text)
    }

    @Test(arguments: [
        ("mqtt://h", UplinkURL(scheme: .mqtt, host: "h", port: 1883)),
        ("mqtts://h.example:8884/", UplinkURL(scheme: .mqtts, host: "h.example", port: 8884)),
        ("ws://[::1]:8080", UplinkURL(scheme: .ws, host: "::1", port: 8080, path: "/mqtt")),
        ("ws://h?c=d", UplinkURL(scheme: .ws, host: "h", port: 80, path: "/mqtt?c=d")),
        ("wss://h/a/b?c=d", UplinkURL(scheme: .wss, host: "h", port: 443, path: "/a/b?c=d")),
    ])
    func url(text: String, expected: UplinkURL) throws {
        #expect(try UplinkURL(text) == expected)
        #expect(try UplinkURL(expected.description) == expected)
    }

    @Test func emptyFileIsAllDefaults() throws {
        var expected = Settings()
        expected.node.id = "n"

        #expect(try settings("") == expected)
        #expect(expected.listeners.map(\.bind.description) == ["127.0.0.1:1883"])
    }

    @Test func withoutIDTheHostsNameIsTaken() throws {
        #expect(try !Settings.parse().node.id.isEmpty)
    }

    @Test func limitsOfListenerAndUser() throws {
        let settings = try settings(
            """
            [limits]
            inflight = 20
            qos = 1
            [[listener]]
            limits = { inflight = 30, packet = "2KiB" }
            [[access.user]]
            name = "a"
            limits.inflight = 40
            """)

        var expected = LimitSettings()
        expected.inflight = 30
        expected.packetBytes = 2048
        expected.qos = 1
        #expect(settings.limits(on: settings.listeners[0]) == expected)
        expected.inflight = 40
        #expect(settings.limits(on: settings.listeners[0], for: settings.access.users[0]) == expected)
    }

    @Test func modulesKeepTheirOwnKeysWithPositions() throws {
        let module = try settings(
            """
            [[module]]
            name = "line-b"
            program = "modbus"
            restart = { max = "5m" }
            [[module.connection]]
            url = "tcp://192.0.2.7:502"
            """
        ).modules[0]

        #expect(module.restart == BackoffSettings(min: .seconds(1), max: .seconds(300)))
        #expect(module.own.entries.map(\.key) == ["connection"])
        guard case .array(let items)? = module.own["connection"]?.value, case .table(let table)? = items.first?.value
        else {
            Issue.record("wrong shape")
            return
        }
        #expect(table["url"]?.origin == .file(line: 6, column: 7))
    }

    @Test func placeNameOfARouteIsItsFilterUnlessNamed() {
        var route = RouteSettings()
        route.filter = "a/#"
        #expect(route.placeName == "a/#")
        route.name = "b"
        #expect(route.placeName == "b")
    }

    @Test func changedKeysAreNamed() throws {
        let before = try settings("[[listener]]\n[[module]]\nname = \"m\"\nprogram = \"x\"\nport = 1")
        let after = try settings(
            "[log]\nlevel = \"debug\"\n[[listener]]\nbind = \"[::]:1\"\n[[module]]\nname = \"m\"\nprogram = \"x\"\nport = 2"
        )

        #expect(after.changedKeys(from: before) == ["listener.0.bind", "log.level", "module.0.port"])
        #expect(after.changedKeys(from: after) == [])
    }

    @Test func warnings() throws {
        let settings = try settings(
            """
            [[listener]]
            bind = "0.0.0.0:1883"
            anonymous = "always"
            [store]
            durability = "relaxed"
            [[uplink]]
            name = "u"
            urls = ["mqtt://h"]
            protocol = 4
            username = "n"
            password_file = "p"
            tls = { certificate = "c", key = "k" }
            route = [{ filter = "#" }]
            """)
        #expect(settings.warnings.count == 5)
    }
}

/// Reads a text; the node is called "n" unless it says otherwise.
func settings(
    _ text: String, set overrides: [(key: String, value: String)] = [], environment: [String: String] = [:]
) throws(ConfigurationError) -> Settings {
    var table = environment
    if !text.contains("[node]") { table["ROOST_NODE__ID"] = "n" }
    return try Settings.parse(Array(text.utf8), file: "roost.toml", overrides: overrides, environment: table)
}

/// The messages that a text gives.
func messages(
    _ text: String, set overrides: [(key: String, value: String)] = [], environment: [String: String] = [:]
) -> [String] {
    do throws(ConfigurationError) {
        _ = try settings(text, set: overrides, environment: environment)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}
