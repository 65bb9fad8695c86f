import EventLoop

/// What the proof found.
struct ProveOutcome {
    let totals: Ledger.Totals
    let failure: Failure?
    let isSynced: Bool?
    let isCounted: Bool
    let nodeKills: Int
    let cloudKills: Int
    let cuts: Int
    let absences: Int
    let seconds: Double
    let rate: Double
    let linkUp: Measure
    let linkFar: Measure
    let linkDown: Measure
    let diskBytes: Int
    let wireBytes: Int
    let disk: Disk
    let directory: String
    let isOnDisk: Bool
    let fullDisk: String?
    let fullDiskWasNoticed: Bool
    /// The first that are missing, one line each.
    let missing: [String]
    /// The first that came again without a reason.
    let duplicates: [String]

    init(_ prove: Prove) {
        totals = prove.ledger.totals
        failure = prove.failure
        isSynced = prove.isSynced
        isCounted = prove.isCounted
        nodeKills = prove.faults.nodeKills
        cloudKills = prove.faults.cloudKills
        cuts = prove.faults.cuts
        absences = prove.sessionReader.absences
        seconds = (prove.loop.now - prove.begun).seconds
        rate = prove.choices.rate
        linkUp = prove.linkUp
        linkFar = prove.linkFar
        linkDown = prove.linkDown
        diskBytes = Int(prove.node.diskBytes() + prove.smallNode.diskBytes())
        wireBytes = Int(prove.relay.bytes + prove.smallRelay.bytes)
        disk = prove.disk
        directory = prove.directory
        isOnDisk = prove.isOnDisk
        fullDisk = prove.phase.rawValue > Prove.Phase.full.rawValue ? prove.fullDisk.name : nil
        fullDiskWasNoticed = prove.fullDisk.wasNoticed
        missing = prove.isCounted ? Self.missing(prove) : []
        duplicates = Self.duplicates(prove)
    }

    var kills: Int { nodeKills + cloudKills }
    /// Never answered, though the node had all the time.
    var unanswered: Int { totals.published - totals.acknowledged - totals.refused }

    /// Nothing acknowledged is missing, nothing is there twice, and all came in order.
    var isKept: Bool {
        failure == nil && isCounted && totals.isKept && unanswered == 0 && isSynced != false
    }

    /// All that is wrong, the worst first.
    var problems: [String] {
        var lines: [String] = []
        if let failure { lines.append(failure.message) }
        if isSynced == false {
            lines.append(
                "what was acknowledged was in the kernel's memory and not on the disk: a power cut would lose it")
        }
        if unanswered > 0 { lines.append("\(unanswered) messages were never answered") }
        if totals.strange > 0 { lines.append("\(totals.strange) messages arrived that nobody had sent") }
        if isCounted && totals.acknowledged == 0 { lines.append("nothing was ever acknowledged") }
        return lines + missing + duplicates + totals.complaints
    }

    private static func duplicates(_ prove: Prove) -> [String] {
        let chronicle = prove.faults.chronicle
        return prove.ledger.duplicates.map { message in
            let series = prove.ledger.workload.series[message.series]
            let place = message.place == .cloud ? "at the cloud" : "in the node's session"
            return
                "twice \(place): machine-\(series.publisher), \(prove.ledger.workload.name(message.series)), "
                + "number \(message.number) at QoS \(series.qos.rawValue), when \(message.highest) had come; sent again "
                + "\(message.resends) times; \(chronicle.told(message.at))"
        }
    }

    private static func missing(_ prove: Prove) -> [String] {
        let chronicle = prove.faults.chronicle
        return [(Ledger.Place.cloud, "at the cloud"), (.session, "in the node's session")].flatMap { place, name in
            prove.ledger.missing(at: place, limit: 10).map { message in
                let series = prove.ledger.workload.series[message.series]
                var line =
                    "machine-\(series.publisher), \(prove.ledger.workload.name(message.series)), number \(message.number)"
                if let at = message.acknowledged { line += ", acknowledged \(chronicle.told(at))" }
                return "\(name): \(line)"
            }
        }
    }
}
