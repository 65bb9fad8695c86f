/// The story in plain words.
enum Narration {
    /// What happens right now.
    static func sentence(_ now: Snapshot) -> String {
        let waiting = count(now.waiting, "message")
        switch now.act {
        case .starting: return "Starting an edge node and a cloud on this machine."
        case .flowing: return "All is well. What the sensors publish goes on to the cloud."
        case .cut: return "The link is cut. \(waiting) \(verb(now.waiting)) at the edge."
        case .killed where !now.edgeIsUp:
            return "The edge was killed without warning. The sensors wait for it."
        case .killed:
            return "The edge is back with all it had acknowledged. \(waiting) \(verb(now.waiting))."
        case .restored where now.waiting > Int(now.publishRate) + 50:
            return "The link is back. The backlog drains: \(waiting) to go."
        case .restored: return "The link is back, and the cloud has caught up."
        case .draining: return "The sensors have stopped. Counting at the cloud what arrived."
        case .playing where !now.edgeIsUp: return "You killed the edge. It starts again in a moment."
        case .playing where now.linkIsCut: return "You cut the link. \(waiting) \(verb(now.waiting)) at the edge."
        case .playing: return "All is well. The sensors go on; try what you like."
        }
    }

    /// "2 of 5"; empty outside the story.
    static func chapter(_ act: Scenario.Act) -> String {
        act == .starting || act == .playing ? "" : "\(act.rawValue) of \(Scenario.Act.draining.rawValue)"
    }

    /// The end, for someone who wants to know whether it works.
    static func verdict(_ end: Snapshot) -> String {
        let totals = end.totals
        guard totals.isPerfect else { return failure(totals) }
        let outcome =
            "Nothing was lost: \(count(totals.acknowledged, "message")) acknowledged, and each of them is at the cloud, once "
            + "and in order\(trouble(end))."
        guard let saving = end.saving else { return outcome }
        return outcome
            + " The link carried \(Quantities.bytes(Int64(end.wireBytes))). Sent one by one over plain MQTT it would have been "
            + "\(Quantities.bytes(Int64(end.plainBytes))), \(saving) times as much."
    }

    private static func trouble(_ end: Snapshot) -> String {
        var parts: [String] = []
        if end.cuts > 0 {
            parts.append("the link was cut for \(Quantities.duration(seconds: end.cutSeconds.rounded()))")
        }
        if end.kills > 0 {
            parts.append("the edge was killed" + (end.kills > 1 ? " \(end.kills) times" : " in the middle of it"))
        }
        return parts.isEmpty ? "" : ", although " + parts.joined(separator: " and ")
    }

    private static func failure(_ totals: Tally.Totals) -> String {
        var parts: [String] = []
        if totals.missing > 0 { parts.append("\(count(totals.missing, "acknowledged message")) did not arrive") }
        if totals.outOfOrder > 0 { parts.append("\(count(totals.outOfOrder, "message")) came out of order") }
        if totals.duplicates > 0 { parts.append("\(count(totals.duplicates, "message")) came twice") }
        if totals.refused > 0 { parts.append("the edge refused \(count(totals.refused, "message"))") }
        let open = totals.published - totals.acknowledged - totals.refused
        if open > 0 { parts.append("\(count(open, "message")) got no acknowledgement") }
        return "This is not as it should be: \(parts.joined(separator: ", ")). Please report it."
    }

    /// "1 message", "1,204 messages".
    static func count(_ number: Int, _ noun: String) -> String {
        "\(Quantities.count(Int64(number))) \(noun)\(number == 1 ? "" : "s")"
    }

    private static func verb(_ number: Int) -> String { number == 1 ? "waits" : "wait" }
}
