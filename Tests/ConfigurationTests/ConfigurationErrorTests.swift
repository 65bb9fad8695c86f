import Testing

@testable import Configuration

/// What a person reads when the file is wrong.
@Suite struct ConfigurationErrorTests {
    static let values: [(String, String)] = [
        ("[[listener]]\nbind = \"127.0.0.1:70000\"", "roost.toml:2: listener.bind: 70000 is not a port (1-65535)"),
        (
            "[[listener]]\nbind = \"127.0.0.1\"",
            "roost.toml:2: listener.bind: \"127.0.0.1\" is not host:port, [::]:port or unix:/path"
        ),
        ("[[listener]]\nbind = 1883", "roost.toml:2: listener.bind: 1883 is not a text (in quotes)"),
        (
            "[[listener]]\nbind = \"::1:1883\"",
            "roost.toml:2: listener.bind: \"::1:1883\": an IPv6 address stands in brackets ([::1]:1883)"
        ),
        (
            "[[listener]]\nanonymous = \"sometimes\"",
            "roost.toml:2: listener.anonymous: \"sometimes\" is not one of loopback, always, never"
        ),
        (
            "[log]\nlevel = \"warn\"",
            "roost.toml:2: log.level: \"warn\" is not one of trace, debug, info, notice, warning, error; did you mean warning?"
        ),
        (
            "[[listener]]\ntransport = \"ws\"",
            "roost.toml:2: listener.transport: \"ws\" is not one of mqtt, websocket, auto"
        ),
        (
            "[admin]\ntransport = \"websocket\"",
            "roost.toml:2: admin.transport: unknown key; there are socket, http, token_file"
        ),
        ("[[listener]]\nproxy_protocol = 3", "roost.toml:2: listener.proxy_protocol: 3 is not one of 0, 1, 2"),
        ("[limits]\ninflight = 0", "roost.toml:2: limits.inflight: 0 is out of range (1-65535)"),
        ("[limits]\nretain = \"yes\"", "roost.toml:2: limits.retain: \"yes\" is not true or false"),
        ("[limits]\nqos = 1.5", "roost.toml:2: limits.qos: 1.5 is not a whole number (0-2)"),
        (
            "[limits]\npacket = \"12XiB\"",
            "roost.toml:2: limits.packet: \"12XiB\" is not a size (bytes, or like \"64KiB\" or \"1MB\")"
        ),
        ("[store]\nmemory = \"1KiB\"", "roost.toml:2: store.memory: \"1KiB\" is too small (at least 1MiB)"),
        ("[store]\nbudget = -1", "roost.toml:2: store.budget: -1 is too small (at least 16MiB)"),
        (
            "[store]\nsettle = \"2 parsecs\"",
            "roost.toml:2: store.settle: \"2 parsecs\" is not a time (seconds, or like \"250ms\", \"2h\" or \"30d\")"
        ),
        ("[store]\nsettle = -1", "roost.toml:2: store.settle: -1 is too short (at least 0s)"),
        (
            "[store]\nttl = \"300000w\"",
            "roost.toml:2: store.ttl: \"300000w\" is not a time (seconds, or like \"250ms\", \"2h\" or \"30d\")"
        ),
        ("loops = 0", "roost.toml:1: loops: 0 is not a number of loops (1-256, or \"auto\": one a core)"),
        ("[log]\nlevle = 1", "roost.toml:2: log.levle: unknown key; did you mean level?"),
        ("[log]\nx = 1", "roost.toml:2: log.x: unknown key; there are level, format"),
        ("log = 1", "roost.toml:1: log: 1 is not a table ([log])"),
        ("[uplink]\nname = \"u\"", "roost.toml:1: uplink: a table is not an array of tables ([[uplink]])"),
        (
            "[access]\njwt.algorithms = [\"RS256\",\n\"none\"]",
            "roost.toml:3: access.jwt.algorithms: \"none\" is not one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512"
        ),
        ("[store\n", "roost.toml:1: expected ]"),
        ("\na = yes", "roost.toml:2: yes is not a value (texts stand in quotes)"),
    ]

    static let rules: [(String, String)] = [
        ("[node]\nid = \"a/b\"", "roost.toml:2: node.id: \"a/b\" is not one level of a topic (no / + # { })"),
        (
            "[node]\nid = \"a\"\nlabels = { site = \"+\" }",
            "roost.toml:3: node.labels: site: \"+\" cannot stand in a topic"
        ),
        ("[[listener]]\ntls = { certificate = \"a.pem\" }", "roost.toml:2: listener.tls.certificate: needs tls.key"),
        (
            "[[listener]]\n[listener.tls]\nuser_from = \"cn\"",
            "roost.toml:3: listener.tls.user_from: needs tls.certificate"
        ),
        (
            "[[listener]]\ntls = { certificate = \"a\", key = \"b\",  require_client = true }",
            "roost.toml:2: listener.tls.require_client: needs tls.client_ca"
        ),
        (
            "[[listener]]\n[[listener]]\n",
            "roost.toml:2: listener.bind: \"127.0.0.1:1883\": another listener has this address"
        ),
        (
            "[admin]\nhttp = \"0.0.0.0:9883\"",
            "roost.toml:2: admin.http: \"0.0.0.0:9883\" is not loopback: it needs admin.token_file"
        ),
        (
            "[admin]\nsocket = \"{dat}/s\"",
            "roost.toml:2: admin.socket: {dat} is not a placeholder here ({node}, {data}, {label:NAME})"
        ),
        (
            "[[access.user]]\nname = \"a\"\npassword = \"secret\"",
            "roost.toml:3: access.user.password: is not a password hash ($7$...): make one with `roost passwd`"
        ),
        ("[[access.user]]\npublish = [\"a\"]", "roost.toml:1: access.user.name: is missing"),
        ("[[module]]\nname = \"m\"", "roost.toml:1: module.program: is missing"),
        (
            "[ingest]\nfilter = \"a/#/b\"",
            "roost.toml:2: ingest.filter: \"a/#/b\" is not a topic filter: # stands alone in the last level"
        ),
        (
            "[ingest]\ntopic = \"{name}/{topic}\"",
            "roost.toml:2: ingest.topic: {name} is not a placeholder here ({node}, {topic}, {label:NAME})"
        ),
    ]

    static let uplinks: [(String, String)] = [
        (
            "urls = [\"mqtt://h\",\n \"http://h\"]",
            "roost.toml:4: uplink.urls: \"http://h\": the scheme \"http\" is not mqtt, mqtts, ws or wss"
        ),
        ("urls = [\"mqtt://:1883\"]", "roost.toml:3: uplink.urls: \"mqtt://:1883\" has no host"),
        ("urls = [\"mqtt://h/a\"]", "roost.toml:3: uplink.urls: \"mqtt://h/a\": only ws and wss URLs have a path"),
        ("urls = [\"ws://h/a b\"]", "roost.toml:3: uplink.urls: \"ws://h/a b\": a path is ASCII, without spaces or #"),
        ("urls = [\"mqtt://h:0\"]", "roost.toml:3: uplink.urls: 0 is not a port (1-65535)"),
        (
            "urls = [\"amqp://u:p@h\"]",
            "roost.toml:3: uplink.urls: a login does not belong into a URL: use username and password_file"
        ),
        ("urls = []", "roost.toml:3: uplink.urls: an uplink needs at least one url"),
        (
            "urls = [\"mqtt://h\"]\n[[uplink]]\nname = \"u\"\nurls = [\"mqtt://i\"]",
            "roost.toml:5: uplink.name: \"u\": another uplink has this name"
        ),
        (
            "urls = [\"mqtt://h\"]\nroute = [{ filter = \"a\" },\n{ name = \"a\", filter = \"b\" }]",
            "roost.toml:5: uplink.route.name: \"a\": another route of this uplink has this name"
        ),
        ("urls = [\"mqtt://h\"]\n[[uplink.route]]\nmode = \"each\"", "roost.toml:4: uplink.route.filter: is missing"),
        (
            "urls = [\"mqtt://h\"]\n[[uplink.route]]\nfilter = \"a\"\nack = \"upstream\"\nwindow = \"22:00-06:00\"",
            "roost.toml:6: uplink.route.ack: \"upstream\" cannot be had with window: a publisher would wait for it"
        ),
        (
            "urls = [\"mqtt://h\"]\n[[uplink.route]]\nfilter = \"a\"\nack = \"upstream\"\nkeep = \"latest\"",
            "roost.toml:6: uplink.route.ack: \"upstream\" cannot be had with keep = \"latest\": what is superseded is never acknowledged"
        ),
        (
            "urls = [\"mqtt://h\"]\n[[uplink.route]]\nfilter = \"a\"\nqos = 2",
            "roost.toml:6: uplink.route.qos: 2 is for mode \"each\": what comes in batches is taken once by their numbers"
        ),
        (
            "urls = [\"mqtt://h\"]\n[[uplink.route]]\nfilter = \"a\"\nmode = \"each\"\nqos = 2\nsend = \"newest\"",
            "roost.toml:7: uplink.route.qos: 2 cannot be had with send = \"newest\" or keep = \"latest\""
        ),
        (
            "urls = [\"mqtt://h\"]\nsession_expiry = 0\n[[uplink.route]]\nfilter = \"a\"\nmode = \"each\"\nqos = 2",
            "roost.toml:8: uplink.route.qos: 2 needs a session_expiry: the upstream counts by our session"
        ),
        (
            "urls = [\"mqtt://h\"]\n[[uplink.route]]\nfilter = \"a\"\nmode = \"each\"\nqos = 0",
            "roost.toml:7: uplink.route.qos: 0 is out of range (1-2)"
        ),
        (
            "urls = [\"mqtt://h\"]\nprotocol = 4\nroute = [{ mode = \"each\", filter = \"cmd/#\" }]\nsubscribe = [{ filter = \"cmd/{node}/#\" }]",
            "roost.toml:5: uplink.route.filter: \"cmd/#\" and the subscription \"cmd/n/#\" of this uplink have topics in common; with protocol 4 and mode \"each\" these messages would go round"
        ),
        (
            "urls = [\"mqtt://h\"]\nbatch_prefix = \"{label:site}\"",
            "roost.toml:4: uplink.batch_prefix: {label:site}: node.labels has no site"
        ),
        (
            "urls = [\"mqtt://h\"]\n[[uplink.route]]\nfilter = \"a\"\nwindow = \"22-6\"",
            "roost.toml:6: uplink.route.window: \"22-6\" is not a part of the day (22:00-06:00)"
        ),
        (
            "urls = [\"mqtt://h\"]\nreconnect = { min = 5, max = 1 }",
            "roost.toml:4: uplink.reconnect.min: min is longer than max"
        ),
        ("urls = [\"mqtt://h\"]\negress_burst = 5", "roost.toml:4: uplink.egress_burst: needs egress_rate"),
        (
            "urls = [\"mqtt://h\"]\negress_rate = \"64KiB\"",
            "roost.toml:4: uplink.egress_rate: \"64KiB\" is not a rate (bits a second, or like \"1Mbit\" or \"64KiB/s\")"
        ),
    ]

    @Test(arguments: values + rules + uplinks.map { ("[[uplink]]\nname = \"u\"\n" + $0.0, $0.1) })
    func message(text: String, expected: String) {
        #expect(messages(text) == [expected])
    }

    @Test func allProblemsAtOnceInTheOrderOfLines() {
        let text = "[log]\nlevel = 1\n[store]\nttl = \"x\"\nbudgt = 1\n[[uplink]]\n"
        #expect(
            messages(text) == [
                "roost.toml:2: log.level: 1 is not one of trace, debug, info, notice, warning, error",
                "roost.toml:4: store.ttl: \"x\" is not a time (seconds, or like \"250ms\", \"2h\" or \"30d\")",
                "roost.toml:5: store.budgt: unknown key; did you mean budget?",
                "roost.toml:6: uplink.name: is missing",
                "roost.toml:6: uplink.urls: an uplink needs at least one url",
            ])
    }

    @Test func fileThatIsNotThere() {
        #expect {
            try Settings.load(file: "/nonexistent/roost.toml")
        } throws: {
            "\($0)" == "/nonexistent/roost.toml: cannot be read: No such file or directory"
        }
    }

    @Test func filesThatCannotBeRead() {
        let text = "[access]\npassword_file = \"/nonexistent/p\""
        #expect {
            try Settings.parse(Array(text.utf8), file: "roost.toml", checkingFiles: true)
        } throws: {
            "\($0)"
                == "roost.toml:2: access.password_file: \"/nonexistent/p\" cannot be read: No such file or directory"
        }
    }

    @Test func protocol4WithoutCommonTopicsIsAllowed() {
        let text = "[[uplink]]\nname = \"u\"\nurls = [\"mqtt://h\"]\nprotocol = 4\n"
        let apart = "route = [{ mode = \"each\", filter = \"up/#\" }]\nsubscribe = [{ filter = \"cmd/#\" }]"
        let batches = "route = [{ filter = \"#\" }]\nsubscribe = [{ filter = \"cmd/#\" }]"
        #expect(messages(text + apart) == [] && messages(text + batches) == [])
    }
}
