import MQTT

/// Who plays in every run: publishers first, then who only listens.
enum Cast {
    static let publishers = 5
    static let count = 13
    /// Behind them in every fifth run: the members of a Shared Subscription.
    static let members = 2
    /// The crowd, which is in few runs and comes last: each has one level of a topic to itself.
    static let crowd = 9

    /// Topics that a publisher at the node, or at the cloud, chooses from.
    static func topic(_ index: Int, of client: SimulatedClient) -> String {
        guard client.role == .node else { return ["cmd/a", "cmd/b", "own/a"][index % 3] }
        let places = ["alarm/a", "plant/a", "plant/b", "plant/c", "bulk/a", "bulk/b", "plain/a", "own/a"]
        return places[index % places.count]
    }

    static func retainedTopic(_ index: Int, of client: SimulatedClient) -> String { "keep/\(client.name)/\(index)" }

    /// One of the topics that a combination of the crowd gets, each another.
    static func crowdTopic(_ index: Int) -> String {
        "crowd/" + (0..<crowd).map { String((index + 1) >> $0 & 1) }.joined(separator: "/")
    }

    private static func crowdFilter(_ member: Int) -> String {
        "crowd/" + (0..<crowd).map { $0 == member ? "1" : "+" }.joined(separator: "/")
    }

    static func make(_ world: World, _ random: inout SimulationRandom) -> [SimulatedClient] {
        // A client that is slow, or takes little at once, is no healthy destination.
        let isCalm = world.scenario.kind == .calm
        var clients: [SimulatedClient] = []
        func add(_ name: String, _ role: Role, _ manner: SimulatedClient.Manner) {
            clients.append(SimulatedClient(name, role, world, manner, seed: random.next()))
        }
        func listener(
            _ filters: [(String, QoS)], persistent: Bool, think: ClosedRange<Int> = 0...0,
            version: ProtocolVersion = .v5
        ) -> SimulatedClient.Manner {
            SimulatedClient.Manner(
                version: version, isPersistent: persistent, filters: filters.map { (filter: $0.0, qos: $0.1) },
                receiveMaximum: isCalm ? 65_535 : random.pick([65_535, 20, 3, 1]),
                thinkMilliseconds: isCalm ? 0...0 : think)
        }
        add("sensor", .node, .init(hasWill: true))
        add("press", .node, .init(version: .v311))
        add("visitor", .node, .init(isPersistent: false, hasWill: true))
        add("operator", .cloud, .init())
        add("robot", .cloud, .init(version: .v311))
        add("archive", .node, listener([("#", .exactlyOnce)], persistent: true, think: 0...3))
        add("shift", .node, listener([("plant/#", .atLeastOnce)], persistent: true, think: 0...80, version: .v311))
        add("screen", .node, listener([("plant/+", .atMostOnce), ("alarm/#", .atMostOnce)], persistent: false))
        add("tablet", .node, listener([("cmd/#", .atLeastOnce), ("own/#", .exactlyOnce)], persistent: false))
        add("lake", .cloud, listener([("#", .exactlyOnce)], persistent: true))
        add(
            "pager", .cloud,
            listener([("alarm/#", .atLeastOnce), ("plain/#", .atLeastOnce)], persistent: true, think: 0...20))
        add("wall", .cloud, listener([("plant/#", .atLeastOnce)], persistent: false))
        // Subscriptions that overlap: each message once, at the highest QoS of those that match.
        add(
            "panel", .node,
            listener(
                [
                    ("plant/#", .atLeastOnce), ("plant/a", .exactlyOnce), ("+/a", .atMostOnce),
                    ("alarm/+", .atLeastOnce),
                ],
                persistent: true))
        for name in ["left", "right"] where world.scenario.hasGroup {
            add(
                name, .node,
                listener(
                    [
                        ("$share/hands/plant/#", .exactlyOnce), ("$share/hands/alarm/#", .atLeastOnce),
                        ("$share/hands/own/#", .exactlyOnce),
                    ], persistent: true, think: 0...600))
        }
        guard world.scenario.hasCrowd else { return clients }
        for member in 0..<crowd {
            let qos = member % 2 == 0 ? QoS.atLeastOnce : .exactlyOnce
            add("crew-\(member)", .node, listener([(crowdFilter(member), qos)], persistent: true))
        }
        return clients
    }
}
