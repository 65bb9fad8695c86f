import ArgumentParser
import Glibc

/// `roost status`: one screen.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "One screen: links, what waits, how old, rates, disk, warnings.",
        discussion: """
            EXAMPLES
              roost status
              roost status --watch              again every second, until Ctrl-C
              roost status --json | jq .queued
            """)

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Show it again and again; with --json one document a line.")
    var watch = false

    @Option(help: ArgumentHelp("Seconds between two looks with --watch.", valueName: "seconds"))
    var interval = 1.0

    func validate() throws {
        guard interval >= 0.1, interval <= 86_400 else { throw ValidationError("--interval: 0.1 to 86400 seconds") }
    }

    func run() throws {
        guard watch else { return try show(try admin.get("/status"), before: nil).map(Terminal.say) ?? () }
        let interrupted = Interruption()
        var before: StatusDocument?
        repeat {
            do {
                let body = try admin.get("/status")
                let document = admin.json ? nil : try Document.decode(StatusDocument.self, body)
                if let text = try show(body, before: before) { draw(text) }
                before = document
            } catch let failure as Failure where failure.code == .cannotConnect && before != nil {
                // It restarts, perhaps: who watches wants to see it come back.
                draw(Terminal.paint(failure.message, .red))
            }
        } while !interrupted.waits(seconds: interval)
    }

    private func draw(_ text: String) {
        Terminal.say(Terminal.outputIsTerminal ? "\u{1B}[H\u{1B}[2J" + text : text + "\n")
    }

    private func show(_ body: [UInt8], before: StatusDocument?) throws -> String? {
        if admin.json {
            Document.print(body)
            return nil
        }
        return StatusScreen(try Document.decode(StatusDocument.self, body), before: before, interval: interval).text
    }
}

/// The status document as a person reads it.
struct StatusScreen {
    let status: StatusDocument
    let before: StatusDocument?
    let interval: Double

    init(_ status: StatusDocument, before: StatusDocument?, interval: Double) {
        self.status = status
        self.before = before
        self.interval = interval
    }

    var text: String {
        var lines = [
            Terminal.paint(status.node, .bold) + "  roostd \(status.version), up "
                + Quantities.duration(seconds: status.uptimeSeconds),
            "",
            row(
                "Clients",
                "\(Quantities.count(status.connections)) connected, \(Quantities.counted(status.sessions, "session")), "
                    + "\(Quantities.counted(status.subscriptions, "subscription")), "
                    + "\(Quantities.count(status.retained)) retained"
                    + (status.twins.map { $0 > 0 ? ", \(Quantities.count($0)) twins" : "" } ?? "")),
            row("Messages", messages),
            row("Waiting", waiting),
            row("Disk", disk),
        ]
        if let refused { lines.append(row("Refused", refused)) }
        if let lost { lines.append(row("Lost", lost)) }
        for line in shared { lines.append(row("Shared", line)) }
        for uplink in status.uplinks { lines.append(row("Uplink", line(of: uplink))) }
        if status.uplinks.isEmpty { lines.append(row("Uplink", Terminal.paint("none configured", .dim))) }
        if !status.warnings.isEmpty { lines.append("") }
        for warning in status.warnings { lines.append(Terminal.paint("! \(warning.printable)", .yellow)) }
        return lines.joined(separator: "\n")
    }

    private func row(_ title: String, _ text: String) -> String {
        title + String(repeating: " ", count: max(1, 11 - title.count)) + text
    }

    private var messages: String {
        var text =
            "\(Quantities.count(status.messagesReceived)) in, \(Quantities.count(status.messagesSent)) out"
        if let before {
            let received = Double(status.messagesReceived - before.messagesReceived) / interval
            let sent = Double(status.messagesSent - before.messagesSent) / interval
            text += " (\(Quantities.tenths(received))/s in, \(Quantities.tenths(sent))/s out)"
        }
        if status.dropped > 0 {
            text += ", " + Terminal.paint("\(Quantities.count(status.dropped)) dropped", .yellow)
        }
        return text
    }

    private var waiting: String {
        let queued = status.queued
        guard queued.messages > 0 else { return "nothing" }
        return "\(Quantities.counted(queued.messages, "message")), \(Quantities.bytes(queued.bytes)), oldest "
            + Quantities.duration(seconds: queued.oldestSeconds)
    }

    private var disk: String {
        let store = status.store
        let share = store.budgetBytes > 0 ? Double(store.bytes) / Double(store.budgetBytes) : 0
        let used = "\(Quantities.bytes(store.bytes)) of \(Quantities.bytes(store.budgetBytes))"
        var text = Terminal.paint(used, share > 0.95 ? .red : share > 0.8 ? .yellow : nil)
        text += ", \(Quantities.bytes(store.memoryBytes)) in memory"
        if let day = store.writtenBytesPerDay, day.isFinite {
            text += ", \(Quantities.bytes(Int64(max(0, min(day, 9e18))))) written a day"
        }
        return text
    }

    /// By access control, since the start; nil: nothing.
    private var refused: String? {
        guard let access = status.access else { return nil }
        let counts = [
            (access.authenticationFailures, "login"), (access.deniedPublishes, "message"),
            (access.deniedSubscriptions, "subscription"),
        ]
        let told = counts.filter { $0.0 > 0 }.map { Quantities.counted($0.0, $0.1) }
        guard !told.isEmpty else { return nil }
        return Terminal.paint(told.joined(separator: ", "), .yellow) + " since the start (roostd's log says whose)"
    }

    /// What the store gave up since the start; nil: nothing.
    private var lost: String? {
        let counts = [("evicted", status.store.evictedMessages), ("expired", status.store.expiredMessages)]
        let told = counts.compactMap { word, count in
            count.flatMap { $0 > 0 ? "\(Quantities.count($0)) \(word)" : nil }
        }
        guard !told.isEmpty else { return nil }
        return Terminal.paint(told.joined(separator: ", "), .yellow) + " since the start (roost queue says where)"
    }

    /// The shared subscriptions for which most waits.
    private var shared: [String] {
        let all = (status.sharedSubscriptions ?? []).sorted { $1.queuedMessages < $0.queuedMessages }
        var lines = all.prefix(Self.namedShares).map { group in
            let members =
                "\(Quantities.count(group.connected)) of \(Quantities.counted(group.members, "member")) connected"
            let waiting =
                group.queuedMessages == 0
                ? "nothing waits"
                : "\(Quantities.counted(group.queuedMessages, "message")) wait, \(Quantities.bytes(group.queuedBytes))"
            return "\(group.filter.printable)  \(members), \(waiting)"
        }
        if all.count > Self.namedShares { lines.append("and \(all.count - Self.namedShares) more") }
        return lines
    }

    private static let namedShares = 5

    private func line(of uplink: StatusDocument.Uplink) -> String {
        var text = "\(uplink.name)  " + Terminal.paint(uplink.state, UplinkCommand.colour(of: uplink.state))
        if let since = uplink.sinceSeconds { text += " for \(Quantities.duration(seconds: since))" }
        if let url = uplink.url, !url.isEmpty { text += "  \(url)" }
        if let error = uplink.error, !error.isEmpty { text += "  " + Terminal.paint(error.printable, .red) }
        return text
    }
}
