import Testing

@testable import Configuration

/// What `--print-config` prints is a configuration again.
@Suite struct PrintingTests {
    static let everything = """
        shutdown_seconds = 2.5
        loops = "auto"
        [node]
        id = "n"
        labels = { "a b" = "c\\"d", e = "f" }
        [[listener]]
        bind = "[::]:8883"
        transport = "auto"
        proxy_protocol = 2
        tls = { certificate = "a", key = "b", client_ca = "c", user_from = "san", more = [{ certificate = "d", key = "e" }] }
        limits = { packet = 1000, qos = 0 }
        [[listener]]
        bind = "unix:/run/a"
        [limits]
        connect_timeout = "1500us"
        session_full = "newest"
        [access]
        jwt = { key_file = "k", algorithms = ["ES256"], user_claim = "u" }
        user = [{ name = "a", password = "$7$101$x$y", publish = ["a/+"], limits = { inflight = 3 } }, { name = "b" }]
        [[uplink]]
        name = "u"
        urls = ["wss://h/p", "mqtt://[::1]:5"]
        protocol = 4
        egress_rate = "64KiB/s"
        egress_burst = 12345
        reconnect.min = "10ms"
        [[uplink.route]]
        filter = "a/#"
        window = "22:00-06:00"
        ttl = "90s"
        budget = "5MiB"
        [[uplink.route]]
        filter = "b/{label:e}"
        [[uplink.subscribe]]
        filter = "cmd/{node}/#"
        qos = 0
        [[module]]
        name = "m"
        program = "/x"
        args = ["-v", "a\\nb"]
        environment = { A = "b", API_TOKEN = "t" }
        memory = "64MiB"
        float = 1.5
        when = 2024-01-01T00:00:00Z
        password = "p"
        keys_file = "kept"
        connection = [{ name = "c", device = [{ unit = 1, mixed = [1, "2", { three = 3 }] }] }]
        [admin]
        http = "127.0.0.1:9883"
        """

    @Test(arguments: ["", everything])
    func readsBackEqual(_ text: String) throws {
        let before = try settings(text)
        #expect(try settings(before.printed(maskingSecrets: false)) == before)
    }

    @Test func secretsAreMaskedAndTheRestIsValid() throws {
        let printed = try settings(Self.everything).printed()
        let masked = try settings(printed)

        #expect(masked.access.users[0].password == "$7$masked")
        #expect(masked.access.users[1].password == "")
        #expect(masked.modules[0].environment == ["A": "b", "API_TOKEN": "(masked)"])
        #expect(masked.modules[0].own["password"]?.value == .string("(masked)"))
        #expect(masked.modules[0].own["keys_file"]?.value == .string("kept"))
        #expect(masked.access.jwt.keyFile == "k")
        #expect(!printed.contains("$7$101"))
    }

    @Test func looksAsAPersonWouldWriteIt() throws {
        let printed = try settings("[[listener]]\nlimits.packet = 65536").printed()

        #expect(printed.hasPrefix("shutdown_seconds = \"10s\"\nloops = 1\n\n[node]\nid = \"n\"\ndata = \"data\"\n"))
        #expect(printed.contains("\n[[listener]]\nbind = \"127.0.0.1:1883\"\n"))
        #expect(printed.contains("\n[listener.limits]\npacket = \"64KiB\"\n\n"))
        #expect(printed.contains("session_expiry = \"7d\""))
    }
}
