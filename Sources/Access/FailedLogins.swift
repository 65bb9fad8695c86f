import Broker
import EventLoop

/// Which addresses have failed to log in, and how often. The first few failures cost nothing; from then on each refusal is
/// late, by more each time, and few attempts from the address are looked at at once. Who has the right password meanwhile
/// gets in: a device that was forgotten doesn't lock out those that share its address.
struct FailedLogins {
    typealias Address = PeerAddress

    private struct Entry {
        var failures = 0
        var last: Instant
        /// Attempts that are being looked at, or whose refusal is late.
        var open = 0
        var told = Episode()
        var isSlowed: Bool { failures > FailedLogins.free }
    }

    /// What a failure costs.
    struct Consequence: Equatable {
        var delay: Duration
        /// The first of an episode.
        var isNews: Bool
        /// The first that is late.
        var beginsSlowing: Bool
    }

    private var entries: [Address: Entry] = [:]

    static let free = 5
    static let longestDelay = 30
    /// Of an address that has been slowed.
    static let mostOpen = 8
    static let memory = Duration.seconds(600)
    static let maximum = 10_000

    var count: Int { entries.count }

    /// An attempt begins; false: too many are open from there.
    mutating func begin(_ address: Address, at now: Instant) -> Bool {
        var entry = known(address, at: now)
        guard !entry.isSlowed || entry.open < Self.mostOpen else { return false }
        entry.open += 1
        entries[address] = entry
        return true
    }

    /// An attempt is over, and its refusal, if it was one, is out.
    mutating func end(_ address: Address) {
        guard var entry = entries[address] else { return }
        entry.open = max(0, entry.open - 1)
        entries[address] = entry.open == 0 && entry.failures == 0 ? nil : entry
    }

    mutating func fail(_ address: Address, at now: Instant) -> Consequence {
        makeRoom(at: now)
        var entry = known(address, at: now)
        entry.failures += 1
        entry.last = now
        let isNews = entry.told.begins(at: now)
        entries[address] = entry
        let late = entry.failures - Self.free
        guard late > 0 else { return Consequence(delay: .zero, isNews: isNews, beginsSlowing: false) }
        let seconds = late > 5 ? Self.longestDelay : min(1 << (late - 1), Self.longestDelay)
        return Consequence(delay: .seconds(seconds), isNews: isNews, beginsSlowing: late == 1)
    }

    private func known(_ address: Address, at now: Instant) -> Entry {
        guard var entry = entries[address] else { return Entry(last: now) }
        if now - entry.last >= Self.memory { entry.failures = 0 }
        return entry
    }

    /// Those of long ago go first, then the oldest quarter; not those with an attempt under way.
    private mutating func makeRoom(at now: Instant) {
        guard entries.count >= Self.maximum else { return }
        entries = entries.filter { $0.value.open > 0 || now - $0.value.last < Self.memory }
        guard entries.count >= Self.maximum else { return }
        let idle = entries.filter { $0.value.open == 0 }.sorted { $0.value.last < $1.value.last }
        for (address, _) in idle.prefix(Self.maximum / 4) { entries[address] = nil }
    }
}
