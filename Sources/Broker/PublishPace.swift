import EventLoop
import MQTT

/// `publish_rate` of one connection: what comes faster waits in `HeldPublishes`, unacknowledged, while every other packet is
/// served. The wait is bounded: beyond it QoS 0 is dropped, and of QoS 1 and 2 nothing more is read.
final class PublishPace {
    let perSecond: Int
    private var limit: RateLimit
    private var timer = Timer.none
    private var episode = Episode()

    /// Seconds that QoS 0 may wait.
    private static let longestWait = 5
    /// Timers are not set finer: the slack makes up for it.
    private static let step = Duration.milliseconds(5)

    init(perSecond: Int, now: Instant) {
        self.perSecond = perSecond
        limit = RateLimit(perSecond: perSecond, now: now)
    }

    /// Messages at QoS 0 beyond so many would wait too long.
    var mostWaiting: Int { perSecond * Self.longestWait }

    func take(at now: Instant) -> Bool { limit.take(at: now) }

    /// The first of an episode.
    func isNews(at now: Instant) -> Bool { episode.begins(at: now) }

    /// Calls `body` when the next message may be taken.
    func wait(on loop: EventLoop, _ body: @escaping () -> Void) {
        loop.cancel(timer)
        timer = loop.schedule(after: max(limit.wait(at: loop.now), Self.step), body)
    }

    func stop(on loop: EventLoop) { loop.cancel(timer) }
}
