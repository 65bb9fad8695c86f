import EventLoop
import Glibc

extension Demo {
    /// The view is drawn on a terminal; elsewhere it is a line a second; with --json nothing but the document.
    private var draws: Bool { Terminal.outputIsTerminal && !choices.json }

    func openView() {
        guard draws else { return }
        Screen.open()
        keys = Keys(loop: loop) { [weak self] in self?.press($0) }
    }

    /// Back to the terminal as it was, with the last picture left on it.
    func closeView() {
        guard draws else { return }
        Screen.restore()
        guard let conclusion else { return }
        let view = View(conclusion, width: Screen.size.columns, glyphs: glyphs)
        for line in view.lines(footer: view.verdict + [StyledLine()]) {
            Terminal.say(line.rendered(width: Screen.size.columns, coloured: Terminal.hasColour))
        }
    }

    /// Called at every turn; draws four times a second, speaks once.
    func show() {
        guard ticks % 5 == 0 else { return }
        meter.note(
            [lastTotals.published + lastTotals.published0, lastTotals.arrived + lastTotals.arrived0, Int(relay.bytes)],
            at: loop.now)
        let now = snapshot()
        if ticks % 10 == 0, act > .starting { remember(now.waiting) }
        if draws {
            let view = View(now, width: Screen.size.columns, glyphs: glyphs)
            Screen.draw(fitted(view.lines(footer: footer(view.width))))
        } else if !choices.json, ticks % 20 == 0 {
            say(plainLine(now))
        }
    }

    /// What is said when the story has ended; the drawn view says it itself.
    func report(_ end: Snapshot) {
        if choices.json { return say(DemoDocument(end, seconds: elapsed).json) }
        guard !draws else { return }
        say("")
        for line in Narration.verdict(end).wrapped(width: 100) { say(line) }
        if !choices.once { for line in examples { say(line.text) } }
    }

    /// Who reads along may leave; then there is nobody to go on for.
    private func say(_ text: String) {
        let written = Array((text + "\n").utf8).withUnsafeBytes { Terminal.writeAll($0, to: STDOUT_FILENO) }
        if !written { interrupt() }
    }

    func snapshot() -> Snapshot {
        var now = Snapshot()
        now.act = act
        now.elapsed = elapsed
        now.planned = scenario.seconds
        now.sensors = sensors.count
        now.sensorsConnected = sensors.reduce(0) { $0 + ($1.isConnected ? 1 : 0) }
        now.edgeIsUp = edge.isRunning && !edge.isEnding
        now.linkIsCut = relay.isCut
        now.totals = counts.tally.totals
        now.publishRate = meter.rate(0)
        now.arrivalRate = meter.rate(1)
        now.wireRate = meter.rate(2)
        now.waiting = now.totals.missing
        if now.edgeIsUp, let queue = queue.queue {
            now.waiting = Int(queue.messages)
            now.waitingBytes = queue.bytes
            now.waitingOldest = queue.oldestSeconds
        }
        now.wireBytes = Int(relay.bytes)
        now.plainBytes = counts.plainBytes
        now.diskBytes = Int(edge.diskBytes())
        now.kills = kills
        now.cuts = cuts
        now.cutSeconds = (cutTime + (cutSince.map { loop.now - $0 } ?? .zero)).seconds
        now.deadSeconds = (deadTime + (deadSince.map { loop.now - $0 } ?? .zero)).seconds
        now.isOnDisk = isOnDisk
        now.history = history
        return now
    }

    private var glyphs: View.Glyphs { Screen.isUTF8 ? .unicode : .ascii }

    private func remember(_ waiting: Int) {
        history.append(waiting)
        if history.count > 200 { history.removeFirst(100) }
    }

    private func plainLine(_ now: Snapshot) -> String {
        let totals = now.totals
        let seconds = Quantities.duration(seconds: now.elapsed.rounded(.down))
        guard act > .starting else { return Narration.sentence(now) }
        return
            "\(seconds)  \(Narration.sentence(now))  published \(totals.published), acknowledged \(totals.acknowledged), "
            + "arrived \(totals.arrived); link \(Quantities.bytes(Int64(now.wireBytes)))"
    }

    // MARK: - Below the figures

    private func footer(_ width: Int) -> [StyledLine] {
        guard act == .playing, let conclusion else { return [StyledLine(), StyledLine("  q quits", .dim)] }
        var keys = StyledLine("  ")
        for (key, meaning) in [
            ("c", cutSince == nil ? "cuts the link" : "restores the link"), ("k", "kills the edge"), ("q", "quits"),
        ] {
            keys.add(key, .bold)
            keys.add(" \(meaning)     ", .dim)
        }
        return View(conclusion, width: width, glyphs: glyphs).verdict + [StyledLine()] + examples + [
            StyledLine(), keys,
        ]
    }

    private var examples: [StyledLine] {
        [
            StyledLine("  Edge: mqtt://127.0.0.1:\(edge.port)   Cloud: mqtt://127.0.0.1:\(cloud.port)"),
            StyledLine("    mosquitto_sub -p \(cloud.port) -t '#' -v"),
            StyledLine("    mosquitto_pub -p \(edge.port) -q 1 -t hello -m world"),
            StyledLine("    roost status --watch --socket \(edge.socket)"),
        ]
    }

    /// Without its empty lines, the last first, as far as the terminal is too low for all; the last line stays in any case.
    private func fitted(_ lines: [StyledLine]) -> [StyledLine] {
        var lines = lines
        let rows = Screen.size.rows
        while lines.count > rows, let index = lines.lastIndex(where: { $0.width == 0 }) { lines.remove(at: index) }
        guard lines.count > rows, let last = lines.last else { return lines }
        return lines.prefix(rows - 1) + [last]
    }
}
