import EventLoop
import Store

/// One route's way onto the link: what beside its sender decides whether it may send now. It counts what the route has in
/// flight, knows its windows, and holds its backlog to `replay_rate`.
final class RouteLane {
    let sender: any RouteSender
    /// Of the highest class among the uplink's routes.
    let isTop: Bool
    /// PUBLISHes of the route that are unacknowledged on this connection, and their bytes.
    private(set) var flight = 0
    private(set) var flightBytes = 0

    private var schedule: Schedule
    private var replay: ReplayLimit?
    private let storeTime: () -> Int64
    private let localOffset: (Int64) -> Int
    /// `pace` of the uplink: bytes a second.
    private let linkPace: Double?
    private let linkTime: Duration
    /// What was due when `isDue` was last asked is backlog.
    private var isBacklog = false
    private var replayReady: Instant?
    private var queue: RouteQueue { sender.queue }

    init(
        _ sender: any RouteSender, _ options: RouteOptions, isTop: Bool, linkPace: Double?, now: Instant,
        storeTime: @escaping () -> Int64, localOffset: @escaping (Int64) -> Int
    ) {
        self.sender = sender
        self.isTop = isTop
        self.linkPace = linkPace
        linkTime = isTop ? BatchTuning.linkTime : BatchTuning.linkTimeBelow
        schedule = Schedule(options.windows)
        self.storeTime = storeTime
        self.localOffset = localOffset
        if options.replayBitsPerSecond > 0 {
            replay = ReplayLimit(
                bitsPerSecond: options.replayBitsPerSecond, batchDelay: options.batchDelay,
                received: sender.queue.receivedBytes, now: now)
        }
        sender.adapt(pace: linkPace, linkTime: linkTime)
    }

    // MARK: - When

    /// Inside its window, or without one.
    func isOpen(_ now: Instant) -> Bool {
        schedule.isOpen(
            boot: now.milliseconds,
            wall: {
                let time = queue.wallTime(storeTime(), run: queue.stream.numbering.run)
                return time.isSet ? time.milliseconds : nil
            }, offset: localOffset)
    }

    /// Why it sends nothing, in a person's words; nil: nothing holds it back.
    func holding(_ now: Instant) -> String? {
        if let hold = sender.holding { return hold.text }
        return isOpen(now) ? nil : schedule.text
    }

    /// What the sender has taken from the queue is finished when the window closes.
    func isDue(_ now: Instant) -> Bool {
        guard isOpen(now) || sender.isInTheMiddle, sender.isDue(now) else { return false }
        return replayAllows(now)
    }

    /// When `isDue` may turn true by time alone; nil: never. What was due by `now` was looked at: if it did not go, something
    /// else than time is awaited.
    func nextDeadline(_ now: Instant) -> Instant? {
        var deadline: Instant?
        func consider(_ instant: Instant?) {
            if let instant, instant > now { deadline = min(deadline ?? instant, instant) }
        }
        consider(schedule.nextCheck.map { Instant(milliseconds: $0) })
        guard isOpen(now) else { return deadline }
        consider(sender.nextDeadline(now))
        consider(replayReady)
        return deadline
    }

    private func replayAllows(_ now: Instant) -> Bool {
        guard replay != nil else { return true }
        replay?.note(received: queue.receivedBytes, now)
        replayReady = nil
        isBacklog = false
        guard case .message(let queued) = queue.peek(),
            replay?.isBacklog(ageMilliseconds: storeTime() - queued.message.receivedAt) == true
        else {
            sender.adapt(pace: linkPace, linkTime: linkTime)
            return true
        }
        isBacklog = true
        let ratio = sender.wireRatio
        if let rate = replay?.rate(wireRatio: ratio) {
            sender.adapt(pace: min(rate, linkPace ?? rate), linkTime: linkTime)
        }
        guard let ready = replay?.ready(wireRatio: ratio, now), ready > now else { return true }
        replayReady = ready
        return false
    }

    // MARK: - What happens

    /// - Parameter takesPlace: of the upstream's Receive Maximum.
    func didSend(_ bytes: Int, takesPlace: Bool) {
        if isBacklog { replay?.take(bytes) }
        guard takesPlace else { return }
        flight += 1
        flightBytes += bytes
    }

    func didAcknowledge(_ bytes: Int) {
        flight = max(0, flight - 1)
        flightBytes = max(0, flightBytes - bytes)
    }

    func didDisconnect() {
        flight = 0
        flightBytes = 0
    }
}

extension RouteSender {
    /// Each message by itself: a byte is a byte.
    var wireRatio: Double { 1 }
    var isInTheMiddle: Bool { false }
    func mayRelease(_ identifier: UInt16, _ now: Instant) -> Bool { false }
    func adapt(pace: Double?, linkTime: Duration) {}
}
