import EventLoop

/// How often each address has connected to a listener, as far back as it matters: who has not come for a second is forgotten.
struct ConnectRates {
    private let perSecond: Int
    private var limits: [PeerAddress: RateLimit] = [:]

    /// Addresses that are remembered. More than that within a second is no address's fault alone, and those that have come
    /// least are forgiven.
    static let maximum = 10_000

    /// - Parameter perSecond: attempts; above 0.
    init(perSecond: Int) { self.perSecond = perSecond }

    var count: Int { limits.count }

    /// An attempt from there; false: it is one too many.
    mutating func take(_ address: PeerAddress, at now: Instant) -> Bool {
        if limits.count >= Self.maximum, limits[address] == nil { makeRoom(at: now) }
        return limits[address, default: RateLimit(perSecond: perSecond, now: now)].take(at: now)
    }

    private mutating func makeRoom(at now: Instant) {
        limits = limits.filter { !$0.value.isRested(at: now) }
        guard limits.count >= Self.maximum else { return }
        let quiet = limits.sorted { $0.value.paidUntil < $1.value.paidUntil }.prefix(Self.maximum / 4)
        for (address, _) in quiet { limits[address] = nil }
    }
}

extension Broker {
    /// Whether this address may connect once more, by the listener's `connect_rate`; the stream is closed if not, before
    /// anything was read from it or said. Unix sockets have no address, and no such limit.
    public func mayConnect(_ stream: ByteStream, at listener: ListenerOptions) -> Bool {
        guard listener.connectRates != nil, !stream.peer.hasPrefix("unix:") else { return true }
        if listener.connectRates?.take(PeerAddress(stream.peer), at: loop.now) != false { return true }
        figures.connectionsOverRate += 1
        if listener.overRate.begins(at: loop.now) {
            logLine(
                .notice,
                "\(stream.peer): refused, more than \(listener.limits.connectRate) connections a second from this address "
                    + "(limits.connect_rate)")
        }
        stream.close()
        return false
    }
}
