/// What the nodes' roost.toml say beyond what every node has. The defaults are what is to be proved; the limits of sessions
/// are raised, since what a session loses at its limit is not lost by mistake, and the link is tried again soon, since the
/// time of a proof is short.
enum ProveNodeText {
    static let cloud =
        limits + """
            [ingest]
            enabled = true
            """

    static func node(uplinkPort: UInt16) -> String {
        limits + """
            [[uplink]]
            name = "cloud"
            urls = ["mqtt://127.0.0.1:\(uplinkPort)"]
            keep_alive = "5s"
            reconnect = { min = "100ms", max = "1s" }

            [[uplink.route]]
            name = "alarms"
            filter = "prove/+/+/alarm/#"
            priority = "critical"

            [[uplink.route]]
            name = "readings"
            filter = "prove/#"
            """
    }

    private static let limits = """
        [limits]
        session_messages = 10000000
        session_bytes = "1GiB"


        """
}
