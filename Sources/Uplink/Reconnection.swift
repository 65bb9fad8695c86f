import EventLoop

/// Which address is next, and after what wait. All addresses are tried in a row, from the first; then comes a wait that doubles
/// from `reconnect.min` to `reconnect.max`, jittered. A connection alone ends no such row: only one that proved useful does,
/// or an upstream that accepts and closes would be connected to for ever. After a useful one the first attempt comes after
/// `reconnect.min`, so that a link that comes and goes is used whenever it is there; and since the waits double, an outage is
/// slept through for as long again at most.
struct Reconnection {
    private let addresses: Int
    private var backoff: Backoff
    /// The address that is tried next, or is connected.
    private(set) var address = 0
    /// Tried since the last wait.
    private var tried = 0
    /// One of these said something that time alone doesn't heal: a wrong password, say.
    private var isRefusedForGood = false
    private var redirects = 0
    /// Connections in a row on which the upstream took nothing.
    private(set) var uselessConnections = 0

    init(addresses: Int, backoff: Backoff) {
        self.addresses = addresses
        self.backoff = backoff
    }

    /// As if nothing had been tried.
    mutating func reset() {
        address = 0
        uselessConnections = 0
        forget()
    }

    private mutating func forget() {
        backoff.reset()
        tried = 0
        isRefusedForGood = false
        redirects = 0
    }

    /// The upstream has taken something.
    mutating func provedUseful() {
        uselessConnections = 0
        forget()
    }

    /// The attempt, or the connection, is over: how long to wait before the next.
    mutating func failed(wasConnected: Bool, wasUseful: Bool, isForGood: Bool, random: Double) -> Duration {
        if wasUseful {
            forget()
            address = 0
            return backoff.next(random: random)
        }
        if wasConnected { uselessConnections += 1 }
        isRefusedForGood = isRefusedForGood || isForGood
        tried += 1
        guard tried >= addresses else {
            address = (address + 1) % addresses
            return .zero
        }
        defer { isRefusedForGood = false }
        return isRefusedForGood ? longest(random: random) : wait(random: random)
    }

    /// The longest wait, and then from the first address.
    mutating func longest(random: Double) -> Duration {
        address = 0
        tried = 0
        redirects = 0
        return backoff.longest(random: random)
    }

    private mutating func wait(random: Double) -> Duration {
        address = 0
        tried = 0
        redirects = 0
        return backoff.next(random: random)
    }

    /// The upstream sends us to another of the addresses; false: it has done so often enough.
    mutating func redirect(to index: Int) -> Bool {
        guard redirects < addresses else { return false }
        redirects += 1
        address = index
        return true
    }

    mutating func move(to index: Int) { address = index }
}
