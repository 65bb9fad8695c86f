import EventLoop

/// What was done when, so that a lost message can be told together with the kill that was near.
struct Chronicle {
    private let start: Instant
    private var events: [(at: Instant, what: String)] = []

    init(start: Instant) { self.start = start }

    mutating func note(_ what: String, at now: Instant) { events.append((now, what)) }

    /// "at 12.345 s".
    func time(_ instant: Instant) -> String {
        let milliseconds = max(0, (instant - start).milliseconds)
        let fraction = String(milliseconds % 1000)
        return "at \(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction + " s"
    }

    /// That moment, and what was done next to it.
    func told(_ instant: Instant) -> String {
        time(instant) + (near(instant).map { "; \($0)" } ?? "")
    }

    /// What was done next to that moment: the first thing after it, else the last.
    private func near(_ instant: Instant) -> String? {
        guard let event = events.first(where: { $0.at >= instant }) ?? events.last else { return nil }
        return "\(event.what) \(time(event.at))"
    }
}
