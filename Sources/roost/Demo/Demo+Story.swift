import EventLoop

extension Demo {
    private static let startSeconds = 20.0

    /// Does what the scenario has for this moment.
    func advance() {
        noteChange()
        switch act {
        case .starting: begin()
        case .flowing, .cut, .killed, .restored: follow()
        case .draining: finishIfCounted()
        case .playing: break
        }
    }

    var elapsed: Double { started.map { (loop.now - $0).seconds } ?? 0 }

    private func begin() {
        guard reader.isSubscribed, sensors.allSatisfy(\.isConnected) else {
            if (loop.now - begun).seconds > Self.startSeconds { failToStart() }
            return
        }
        started = loop.now
        act = .flowing
        for sensor in sensors { sensor.startMeasuring() }
    }

    private func failToStart() {
        let logs = [cloud, edge].map { "\n\($0.name):" + $0.lastLines().map { "\n  \($0)" }.joined() }
        fail(.refused("the nodes don't serve after \(Int(Self.startSeconds)) s. Their last words:\(logs.joined())"))
    }

    private func follow() {
        let due = scenario.act(at: elapsed)
        guard due > act, let next = Scenario.Act(rawValue: act.rawValue + 1) else { return }
        act = next
        switch next {
        case .cut: cutLink()
        case .killed: killEdge()
        case .restored: restoreLink()
        case .draining:
            for sensor in sensors { sensor.stopMeasuring() }
            lastChange = loop.now
        case .starting, .flowing, .playing: break
        }
    }

    private func noteChange() {
        let totals = counts.tally.totals
        guard totals != lastTotals else { return }
        lastTotals = totals
        lastChange = loop.now
    }

    /// The count is final when all is there and nothing more came for a while, or when nothing moves any more.
    private func finishIfCounted() {
        let quiet = (loop.now - lastChange).seconds
        let isThere = sensors.allSatisfy(\.isDrained) && counts.tally.totals.missing == 0
        guard quiet >= (isThere ? Scenario.afterglowSeconds : Scenario.patienceSeconds) else { return }
        conclude()
    }

    private func conclude() {
        let end = snapshot()
        conclusion = end
        report(end)
        if choices.once { return self.end() }
        act = .playing
        for sensor in sensors { sensor.startMeasuring() }
    }

    /// A key was pressed.
    func press(_ key: UInt8) {
        switch key {
        case UInt8(ascii: "q"):
            choices.once && isPerfect == nil ? fail(.refused("stopped before the count was done")) : end()
        case UInt8(ascii: "c") where act == .playing: cutSince == nil ? cutLink() : restoreLink()
        case UInt8(ascii: "k") where act == .playing: killEdge()
        default: break
        }
    }
}

extension Duration {
    var seconds: Double { Double(nanoseconds) / 1e9 }
}
