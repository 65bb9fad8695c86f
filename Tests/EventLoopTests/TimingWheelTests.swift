import Testing

@testable import EventLoop

@Suite struct TimingWheelTests {
    /// At, around and between the borders of slots and levels.
    static let delays: [Int64] = {
        var delays: [Int64] = [0, 1, 999_999, 1_000_000, 1_000_000_000]
        for ticks in [1, 63, 64, 65, 4095, 4096, 262_143, 262_144] as [Int64] {
            let border = ticks << 20
            delays += [border - 1, border, border + 1]
        }
        let day: Int64 = 86_400_000_000_000
        return delays + [day, 30 * day, 366 * day, 36_600 * day]
    }()

    @Test(arguments: delays)
    func firesAtItsDeadlineAndNotBefore(_ delay: Int64) {
        for start in [0, 5, 1 << 20, 123_456_789_012_345] as [Int64] {
            var wheel = TimingWheel(now: Instant(nanoseconds: start))
            let deadline = Instant(nanoseconds: start + delay)
            _ = wheel.schedule(at: deadline) {}

            let planned = wheel.nextDeadline()
            #expect(planned == deadline)
            if delay > 0 {
                wheel.advance(to: deadline - .nanoseconds(1))
                let early = wheel.popDue()
                #expect(early == nil)
                let still = wheel.nextDeadline()
                #expect(still == deadline)
            }
            wheel.advance(to: deadline)
            let due = wheel.popDue()
            #expect(due != nil)
            let afterwards = wheel.nextDeadline()
            #expect(afterwards == nil)
            #expect(wheel.count == 0)
        }
    }

    @Test func dueTimersRunInDeadlineOrderThenInOrderOfScheduling() {
        var wheel = TimingWheel(now: Instant(nanoseconds: 77))
        var order: [Int] = []
        let delays = [5_000_000, 3, 70_000_000, 3, 500_000_000_000, 4, 69_999_999, 0]
        for (index, delay) in delays.enumerated() {
            _ = wheel.schedule(at: Instant(nanoseconds: 77 + Int64(delay))) { order.append(index) }
        }

        wheel.advance(to: Instant(nanoseconds: 1_000_000_000_000))
        while let body = wheel.popDue() { body() }

        #expect(order == [7, 1, 3, 5, 0, 6, 2, 4])
    }

    @Test func oldTokenDoesNotCancelTheSlotsNextTimer() {
        var wheel = TimingWheel(now: Instant(nanoseconds: 0))
        let old = wheel.schedule(at: Instant(milliseconds: 5)) {}
        let cancelled = wheel.cancel(old)
        #expect(cancelled)
        let new = wheel.schedule(at: Instant(milliseconds: 5)) {}

        #expect(new.index == old.index)
        let cancelledTwice = wheel.cancel(old)
        #expect(!cancelledTwice)
        #expect(wheel.isScheduled(new))
        let cancelledNone = wheel.cancel(.none)
        #expect(!cancelledNone)
    }

    @Test(arguments: 0..<12)
    func behavesLikeASortedList(_ seed: Int) {
        var random = SplitMix64(state: UInt64(seed))
        var now = Instant(nanoseconds: Int64.random(in: 0...(1 << 40), using: &random))
        var wheel = TimingWheel(now: now)
        var model: [(deadline: Instant, number: Int, timer: Timer)] = []
        var fired: [Int] = []
        var next = 0

        for _ in 0..<1200 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let bits = Int64.random(in: 0..<52, using: &random)
                let deadline = now + .nanoseconds(Int64.random(in: 0...(1 << bits), using: &random))
                let number = next
                next += 1
                model.append((deadline, number, wheel.schedule(at: deadline) { fired.append(number) }))
            case 5..<7:
                guard let victim = model.indices.randomElement(using: &random) else { continue }
                let wasScheduled = wheel.cancel(model[victim].timer)
                #expect(wasScheduled)
                model.remove(at: victim)
            default:
                let bits = Int64.random(in: 0..<46, using: &random)
                now = now + .nanoseconds(Int64.random(in: 0...(1 << bits), using: &random))
                wheel.advance(to: now)
                fired = []
                while let body = wheel.popDue() { body() }
                let due = model.filter { $0.deadline <= now }
                    .sorted { ($0.deadline, $0.number) < ($1.deadline, $1.number) }
                #expect(fired == due.map(\.number))
                model.removeAll { $0.deadline <= now }
            }
            let earliest = wheel.nextDeadline()
            #expect(earliest == model.map(\.deadline).min())
            #expect(wheel.count == model.count)
        }
    }
}
