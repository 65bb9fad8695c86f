import MQTT

/// What happens in a run: drawn from the seed, and shortened by the shrinker.
public struct Schedule: Sendable {
    public var seed: UInt64
    public var scenario: Scenario
    public var steps: [Step]

    public init(seed: UInt64) {
        var random = SimulationRandom(seed: seed)
        self.seed = seed
        scenario = Scenario(&random)
        // Not drawn: the other histories stay what they were.
        scenario.hasGroup = seed % 5 == 1
        steps = []
        let count = random.within(30...90)
        for _ in 0..<count {
            let wait = random.pick([0, 0, 1, 5, 20, 100, 300, 1000, random.below(4000)])
            steps.append(Step(waitMilliseconds: wait, operation: Self.operation(&random, scenario)))
        }
        addByConstruction(&random)
    }

    /// What chance alone would seldom bring about.
    private mutating func addByConstruction(_ random: inout SimulationRandom) {
        func insert(_ operations: [Operation], waitMilliseconds: Int = 0) {
            let place = random.within(0...steps.count)
            steps.insert(
                contentsOf: operations.map { Step(waitMilliseconds: waitMilliseconds, operation: $0) }, at: place)
        }
        if scenario.hasCrowd {
            let qos = random.oneIn(2) ? QoS.atLeastOnce : .exactlyOnce
            insert([.spread(client: random.below(3), first: random.below(512), count: 320, qos: qos)])
        }
        if scenario.hasGroup, scenario.kind != .calm {
            // A member goes, or the node, while members think about what they have.
            for _ in 0..<4 {
                let publish = Operation.publish(
                    client: random.below(3), topic: random.below(64), qos: .exactlyOnce, count: 4, bytes: 10)
                let end: Operation =
                    random.oneIn(3)
                    ? .kill(node: true, effects: random.within(1...4), downMilliseconds: 100)
                    : .leave(
                        client: Cast.count + random.below(Cast.members), .reset,
                        awayMilliseconds: random.pick([0, 2000]))
                insert([publish, publish, end], waitMilliseconds: 25)
            }
        }
        if scenario.overflows {
            let flood = (0..<40).map { _ in
                Operation.publish(
                    client: random.below(3), topic: random.below(64), qos: .atLeastOnce, count: 2, bytes: 3000)
            }
            insert([.cut(link: 0, silently: random.oneIn(2), milliseconds: 12_000)] + flood, waitMilliseconds: 30)
        }
        if scenario.fillsWhileDown {
            // No room when the failed store, and then the next process, opens the database.
            for _ in 0..<3 {
                let node = random.below(3) > 0
                let room = random.pick([0, 0, 3000])
                let end: Operation =
                    random.oneIn(2)
                    ? .kill(node: node, effects: random.within(1...4), downMilliseconds: 100)
                    : .losePower(node: node, effects: random.within(1...4), downMilliseconds: 100)
                insert([
                    .failSyncs(node: node, count: 1), Self.publishing(&random, scenario),
                    .fill(node: node, roomBytes: room, milliseconds: 6000), Self.publishing(&random, scenario), end,
                ])
            }
        }
    }

    private static func operation(_ random: inout SimulationRandom, _ scenario: Scenario) -> Operation {
        let kind = scenario.kind
        let dice = random.below(100)
        if kind == .calm || dice < 55 { return publishing(&random, scenario) }
        if dice < 68 { return client(&random, scenario) }
        if dice < 78 { return network(&random) }
        return machine(&random, kind)
    }

    private static func publishing(_ random: inout SimulationRandom, _ scenario: Scenario) -> Operation {
        let kind = scenario.kind
        let client = random.below(Cast.publishers)
        if kind != .calm, random.oneIn(10) {
            return .retain(
                client: client, topic: random.below(2), qos: random.oneIn(2) ? .atLeastOnce : .exactlyOnce,
                clears: random.oneIn(4))
        }
        let qos: QoS =
            kind == .calm
            ? random.pick([.atMostOnce, .atLeastOnce])
            : random.pick([.atMostOnce, .atLeastOnce, .atLeastOnce, .exactlyOnce, .exactlyOnce])
        if scenario.hasLargeMessages, random.oneIn(12) {
            return .publish(
                client: client, topic: random.below(64), qos: qos, count: 1, bytes: random.within(20_000...60_000))
        }
        let bytes = random.pick([10, 10, 40, 200, kind == .narrow ? 3000 : 900])
        return .publish(
            client: client, topic: random.below(64), qos: qos, count: random.pick([1, 1, 2, 3, 8]), bytes: bytes)
    }

    private static func client(_ random: inout SimulationRandom, _ scenario: Scenario) -> Operation {
        let isMember = scenario.hasGroup && random.oneIn(3)
        let client = isMember ? Cast.count + random.below(Cast.members) : random.below(Cast.count)
        switch random.below(8) {
        case 0: return .stall(client: client, milliseconds: random.pick([50, 500, 3000]))
        case 1: return .resubscribe(client: client, identifier: UInt32(random.within(1...3)))
        default:
            return .leave(
                client: client, random.pick(SimulatedDeparture.allCases),
                awayMilliseconds: random.pick([0, 0, 200, 2000, 12_000]))
        }
    }

    private static func network(_ random: inout SimulationRandom) -> Operation {
        let link = random.below(3)
        let time = random.pick([20, 300, 2000, 9000])
        switch random.below(6) {
        case 0: return .slow(link: link, bytesPerSecond: random.pick([500, 4000, 40_000]), milliseconds: time)
        case 1: return .delay(link: link, by: random.pick([5, 60, 900]), milliseconds: time)
        default: return .cut(link: link, silently: random.oneIn(2), milliseconds: time)
        }
    }

    private static func machine(_ random: inout SimulationRandom, _ kind: Scenario.Kind) -> Operation {
        let node = random.below(3) > 0
        let effects = random.pick([1, 1, 2, 3, 5, 9, 20, 50])
        let down = random.pick([1, 100, 1500, 8000])
        switch random.below(kind == .lying ? 17 : 14) {
        case 0...2: return .kill(node: node, effects: effects, downMilliseconds: down)
        case 3...5: return .losePower(node: node, effects: effects, downMilliseconds: down)
        case 6: return .stop(node: node, downMilliseconds: down)
        case 7: return .failSyncs(node: node, count: random.pick([1, 1, 2, 5]))
        case 8: return .failWrites(node: node, count: random.pick([1, 1, 3]))
        case 9: return .failReads(node: node, count: 1)
        case 10:
            return .fill(
                node: node, roomBytes: random.pick([0, 2000, 10_000]), milliseconds: random.pick([500, 4000, 15_000]))
        case 11: return .slowDisk(node: node, by: random.pick([10, 80, 700]), milliseconds: random.pick([100, 2000]))
        case 12:
            return .loseDate(
                node: node, seconds: random.pick([-3600, 3600, 86_400 * 365, -1_700_000_000]),
                milliseconds: random.pick([500, 20_000]))
        case 13: return .freeze(node: node, milliseconds: random.pick([20, 500, 4000, 15_000]))
        default: return .lie(node: node, milliseconds: random.pick([300, 3000, 10_000]))
        }
    }
}
