import EventLoop

/// How large a route's batches are, and how hard they are compressed: by the link's pace, and by how well what the route
/// carries compresses.
struct BatchTuning {
    /// A batch shall not hold the link for longer, so that what is more urgent doesn't wait behind it.
    static let linkTime: Duration = .seconds(1)
    /// The same where the uplink has routes of a higher class.
    static let linkTimeBelow: Duration = .milliseconds(500)
    /// Where the pace is only measured, batches aren't made smaller than this, bytes of packets: a wrong guess then costs
    /// little.
    private static let leastGuessed = 16 << 10
    /// Smaller ones hold too little that repeats for the level to matter.
    private static let leastForHigh = 512
    /// HC 9 takes 20 ns a byte, HC 4 a third of that, for 2 to 5 % fewer bytes: where the link takes a hundred times as long,
    /// as long as one call doesn't hold the loop up.
    private static let slowLink = 500_000.0
    private static let largestForHighest = 64 << 10
    /// HC 4 makes 150 MB/s and more of packets: where the link takes that much, less work is more.
    private static let fastLink = 50_000_000.0

    /// Bytes on the wire for a byte of packets, smoothed.
    private(set) var wireRatio = 0.5

    /// Bytes of packets for the next batch.
    ///
    /// - Parameters:
    ///   - limit: `batch.bytes`, or what the upstream has shown to take.
    ///   - pace: bytes a second that the configuration gives the route; nil: no limit.
    ///   - measured: bytes a second that the network was seen to carry; nil: not known.
    ///   - maximumPacket: the upstream's Maximum Packet Size.
    func target(
        limit: Int, pace: Double?, measured: Double?, linkTime: Duration, maximumPacket: Int
    ) -> Int {
        let seconds = Double(linkTime.nanoseconds) / 1e9
        // The header and the topic take their part.
        let room = Double(max(maximumPacket / 2, maximumPacket - 512)) * 0.95
        var target = min(Double(limit), room / wireRatio)
        if let pace { target = min(target, pace * seconds / wireRatio) }
        if let measured { target = min(target, max(measured * seconds / wireRatio, Double(Self.leastGuessed))) }
        return max(1, Int(target))
    }

    mutating func sent(packets: Int, wire: Int) {
        guard packets >= Self.leastForHigh else { return }
        wireRatio += (min(Double(wire) / Double(packets), 2) - wireRatio) * 0.25
    }

    /// A batch was larger than the upstream takes: the next one isn't.
    mutating func didNotFit(packets: Int, wire: Int) {
        wireRatio = max(wireRatio, min(Double(wire) / Double(max(packets, 1)), 2))
    }

    /// - Parameter rate: bytes a second that the link takes; nil: not known.
    static func level(
        _ setting: RouteOptions.Level, packets: Int, rate: Double?, isBusy: Bool
    ) -> BatchLevel {
        switch setting {
        case .fast: return .fast
        case .auto where isBusy || packets < leastForHigh || (rate ?? 0) > fastLink: return .fast
        case .high, .auto:
            guard let rate, rate <= slowLink, packets <= largestForHighest else { return .high }
            return .highest
        }
    }
}

/// Whether the loop's thread has little time left: by the CPU time that it used, smoothed over a second or so.
struct CoreLoad {
    /// Nanoseconds of CPU that the thread has used; nil: nobody knows, and it counts as idle.
    let used: (() -> Int64)?
    private static let busyShare = 0.7
    private static let interval: Duration = .milliseconds(250)

    private var last: (cpu: Int64, at: Instant)?
    private var share = 0.0

    init(used: (() -> Int64)?) { self.used = used }

    mutating func isBusy(_ now: Instant) -> Bool {
        guard let used else { return false }
        guard let last else {
            self.last = (used(), now)
            return false
        }
        let elapsed = now - last.at
        if elapsed >= Self.interval {
            let cpu = used()
            let sample = Double(cpu - last.cpu) / Double(elapsed.nanoseconds)
            share = elapsed >= Self.interval * 4 ? sample : share * 0.7 + sample * 0.3
            self.last = (cpu, now)
        }
        return share > Self.busyShare
    }
}
