import EventLoop
import MQTT
import Store

/// One topic's account: what its publisher was promised, and what came of it where.
struct Account {
    private struct Resend {
        var times: Int
        /// The highest number that had been published by then: what comes behind it comes behind the copies too.
        var fence: UInt64
        var at: Instant
    }

    private struct Mark {
        var number: UInt64
        var at: Instant
    }

    private static let markInterval: Duration = .milliseconds(50)
    /// A broker that died may repeat what it delivered in its last second, copies included: over and over, where it dies each
    /// time before it has written that it was acknowledged.
    private static let resendMemory: Duration = .seconds(600)

    let qos: QoS
    /// The highest number handed to a client; they begin with 1.
    var published: UInt64 = 0
    private(set) var acknowledged = IntervalSet()
    /// Answered with an error: nobody was to get it.
    private(set) var refused = IntervalSet()
    var cloud = Arrivals()
    /// Nil where the session on the node doesn't want it.
    var session: Arrivals?
    private var resends: [UInt64: Resend] = [:]
    /// When which number was acknowledged, now and then.
    private var marks: [Mark] = []

    init(_ series: Workload.Series) {
        qos = series.qos
        session = series.isForSession ? Arrivals() : nil
    }

    mutating func acknowledge(_ number: UInt64, at now: Instant) {
        acknowledged.insert(number)
        if let last = marks.last, now - last.at < Self.markInterval { return }
        marks.append(Mark(number: number, at: now))
        if marks.count >= 64, marks.count % 64 == 0 { forget(now) }
    }

    mutating func refuse(_ number: UInt64) { refused.insert(number) }

    mutating func resend(_ number: UInt64, at now: Instant) {
        let times = resends[number]?.times ?? 0
        resends[number] = Resend(times: times + 1, fence: published, at: now)
    }

    func resends(of number: UInt64) -> Int { resends.isEmpty ? 0 : resends[number]?.times ?? 0 }

    /// When it was acknowledged, give or take.
    func acknowledgement(of number: UInt64) -> Instant? {
        (marks.last { $0.number <= number } ?? marks.first)?.at
    }

    /// Acknowledged, and not there; the first ones.
    static func missing(_ acknowledged: IntervalSet, at arrivals: Arrivals, limit: Int) -> [UInt64] {
        var found: [UInt64] = []
        for interval in acknowledged.intervals {
            var number = interval.lowerBound
            while number <= interval.upperBound, found.count < limit {
                if let end = arrivals.numbers.end(containing: number) {
                    number = end + 1
                } else {
                    found.append(number)
                    number += 1
                }
            }
        }
        return found
    }

    /// Lets go of what can't be asked for any more.
    private mutating func forget(_ now: Instant) {
        let safe = min(cloud.contiguous, session?.contiguous ?? .max)
        marks.removeAll { $0.number + 1 < safe && now - $0.at > .seconds(5) }
        let passed = min(cloud.highest, session?.highest ?? .max)
        resends = resends.filter { $0.value.fence >= passed || now - $0.value.at < Self.resendMemory }
    }
}

extension Arrivals {
    /// Everything up to it is there.
    var contiguous: UInt64 {
        guard let first = numbers.intervals.first, first.lowerBound == 1 else { return 0 }
        return first.upperBound
    }
}
