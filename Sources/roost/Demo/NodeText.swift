/// What the two nodes' roost.toml say beyond what every node has.
enum NodeText {
    static let cloud = """
        [ingest]
        enabled = true
        """

    /// A link that is slow to settle would have every reading written; this one answers at once, so the edge may wait for the
    /// cloud a little and write only when it has to.
    static func edge(uplinkPort: UInt16) -> String {
        """
        [store]
        settle = "500ms"

        [[uplink]]
        name = "cloud"
        urls = ["mqtt://127.0.0.1:\(uplinkPort)"]
        keep_alive = "5s"
        reconnect = { min = "200ms", max = "1s" }

        [[uplink.route]]
        name = "alarms"
        filter = "alarm/#"
        priority = "critical"
        batch = { delay = "10ms" }

        [[uplink.route]]
        name = "readings"
        filter = "#"
        batch = { delay = "200ms", eager = false }
        """
    }
}
