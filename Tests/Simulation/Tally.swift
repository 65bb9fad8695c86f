/// What a run has exercised, and how often: a feature that no seed reaches is one that the simulation says nothing about.
public struct Tally: Sendable {
    public enum Feature: String, Sendable, CaseIterable {
        case published = "messages published"
        case acknowledged = "messages acknowledged"
        case large = "messages of 20 KB and more acknowledged"
        case starts = "starts of a broker"
        case kills = "kills and power losses"
        case fullStarts = "starts on a full disk"
        case failures = "failing stores"
        case replaced = "disks replaced after a lying sync"
        case evicted = "gaps: numbers evicted"
        case expired = "gaps: numbers expired"
        case superseded = "gaps: numbers superseded (keep = \"latest\")"
        case withdrawn = "gaps: numbers withdrawn (ack = \"upstream\")"
        case unstored = "gaps: numbers not stored"
        case upstream = "acknowledgements that the far end gave (ack = \"upstream\")"
        case manyUplinks = "messages over a second uplink and more"
        case windows = "batches of a route with a window"
        case closed = "messages for a route outside its window"
        case edited = "starts with other routes than before"
        case orphans = "backlogs that an edit left behind"
        case sets = "streams of session sets"
        case manySets = "messages beyond 256 of them"
        case mixed = "messages in the mixed stream"
        case mixedQoS = "session sets of more than one QoS"
        case shared = "messages to members of shared subscriptions"
    }

    private(set) var counts: [Feature: Int] = [:]

    mutating func add(_ feature: Feature, _ count: Int = 1) {
        if count > 0 { counts[feature, default: 0] += count }
    }

    mutating func addGap(_ reason: String, _ count: Int) {
        switch reason {
        case "evicted": add(.evicted, count)
        case "expired": add(.expired, count)
        case "superseded": add(.superseded, count)
        case "withdrawn": add(.withdrawn, count)
        case "unstored": add(.unstored, count)
        default: break
        }
    }

    /// Of many runs.
    struct Sum: CustomStringConvertible {
        private var counts: [Feature: (times: Int, seeds: Int)] = [:]

        mutating func add(_ tally: Tally) {
            for (feature, count) in tally.counts {
                let before = counts[feature] ?? (0, 0)
                counts[feature] = (before.times + count, before.seeds + 1)
            }
        }

        var description: String {
            let lines = Feature.allCases.map { feature in
                let (times, seeds) = counts[feature] ?? (0, 0)
                let text = String(times)
                return
                    "\(String(repeating: " ", count: max(0, 9 - text.count)))\(text)  in \(seeds) seeds: \(feature.rawValue)"
            }
            return (["exercised:"] + lines).joined(separator: "\n")
        }
    }
}
