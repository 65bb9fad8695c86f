import Testing

@testable import EventLoop

@Suite struct LoopTests {
    let clock = VirtualClock()
    let loop: EventLoop

    init() {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
    }

    @Test func timersOfThirtyDaysFireOnTheNanosecond() {
        var fired: Instant?
        let start = clock.now
        loop.schedule(after: .seconds(30 * 86_400)) { [loop] in fired = loop.now }

        clock.advance(by: .seconds(30 * 86_400) - .nanoseconds(1), turning: loop)
        #expect(fired == nil)
        clock.advance(by: .nanoseconds(1), turning: loop)
        #expect(fired == start + .seconds(30 * 86_400))
    }

    @Test func delaysCountFromTheClockBetweenTicks() {
        var ran = false
        clock.advance(by: .seconds(5))
        loop.schedule(after: .seconds(1)) { ran = true }

        loop.tick(wait: .zero)
        #expect(!ran)
        clock.advance(by: .seconds(1), turning: loop)
        #expect(ran)
    }

    @Test func tearDownFreesWhatTheLoopHeld() {
        final class Witness {}
        var witness: Witness? = Witness()
        weak let gone = witness
        loop.schedule(after: .seconds(1)) { [witness] in _ = witness }
        loop.atTickEnd { [witness] in _ = witness }
        witness = nil
        #expect(gone != nil)

        loop.tearDown()
        #expect(gone == nil)
    }

    /// Which needs care: a change of the wheel may not let go of what then changes the wheel.
    @Test func whatATimerHeldMayCancelTimersAsItGoes() {
        final class Owner {
            let loop: EventLoop
            let timer: Timer

            init(_ loop: EventLoop) {
                self.loop = loop
                timer = loop.schedule(after: .seconds(1)) {}
            }

            deinit { loop.cancel(timer) }
        }
        var owners = [Owner(loop), Owner(loop)]
        let cancelled = loop.schedule(after: .seconds(1)) { [owner = owners[0]] in _ = owner }
        loop.schedule(after: .seconds(1)) { [owner = owners[1]] in _ = owner }
        weak let first = owners[0]
        weak let second = owners[1]
        owners = []

        loop.cancel(cancelled)
        #expect(first == nil)
        loop.tearDown()
        #expect(second == nil)
    }

    @Test func timerCancelledByAnotherOfTheSameTickDoesNotRun() {
        var ran: [String] = []
        var second = Timer.none
        loop.schedule(after: .milliseconds(1)) { [loop] in
            ran.append("first")
            loop.cancel(second)
        }
        second = loop.schedule(after: .milliseconds(1)) { ran.append("second") }
        loop.schedule(after: .milliseconds(1)) { ran.append("third") }

        clock.advance(by: .milliseconds(5))
        loop.tick(wait: .zero)

        #expect(ran == ["first", "third"])
    }

    @Test func timerMayCancelItself() {
        var timer = Timer.none
        var ran = 0
        timer = loop.schedule(after: .zero) { [loop] in
            ran += 1
            loop.cancel(timer)
        }
        loop.tick(wait: .zero)
        loop.tick(wait: .zero)
        #expect(ran == 1)
    }

    @Test func timerWithoutDelayWaitsForTheNextTick() {
        var ran = 0
        func again() {
            ran += 1
            loop.schedule(after: .zero) { again() }
        }
        loop.schedule(after: .zero) { again() }

        loop.tick(wait: .zero)
        #expect(ran == 1)
        loop.tick(wait: .zero)
        #expect(ran == 2)
    }

    @Test func runJumpsFromTimerToTimerAndStops() {
        let loop = EventLoop(clock: clock, poller: VirtualPoller(advancing: clock))
        let start = clock.now
        var seen: [Int64] = []
        for seconds in [3600, 1, 60] {
            loop.schedule(after: .seconds(seconds)) {
                seen.append((loop.now - start).milliseconds / 1000)
                if seconds == 3600 { loop.stop() }
            }
        }

        loop.run()

        #expect(seen == [1, 60, 3600])
    }

    @Test func hooksRunInOrderBeforeTheFlush() throws {
        let network = MemoryNetwork(loop: loop)
        let connection = try Connection(loop, network, .tcp(host: "broker", port: 1))
        var order: [String] = []
        loop.atTickEnd { order.append("a\(connection.near.unsentBytes)") }
        loop.atTickEnd { order.append("b") }
        loop.onNextTickEnd { order.append("once") }

        connection.near.write([1, 2])
        loop.tick(wait: .zero)

        #expect(order == ["a2", "b", "once"])
        #expect(connection.near.unsentBytes == 0)
    }

    @Test func hookMayTouchAStream() throws {
        let network = MemoryNetwork(loop: loop)
        let connection = try Connection(loop, network, .tcp(host: "broker", port: 1))
        loop.onNextTickEnd { connection.near.write([9]) }

        loop.tick(wait: .zero)
        #expect(connection.near.bytesWritten == 1)
    }

    @Test func mailIsHandledInTheNextTickInOrder() {
        var seen: [Int] = []
        let mailbox = Mailbox<Int>(loop: loop) { seen.append($0) }

        for number in 0..<5 { mailbox.post(number) }
        #expect(seen == [])
        #expect(loop.hasWork)
        loop.tick(wait: .zero)
        #expect(seen == [0, 1, 2, 3, 4])
        #expect(!loop.hasWork)
    }

    @Test func mailboxThatIsGoneLeavesTheLoop() {
        var mailbox: Mailbox<Int>? = Mailbox(loop: loop) { _ in }
        mailbox?.post(1)
        #expect(loop.mailboxes.count == 1)
        mailbox = nil
        loop.tick(wait: .zero)
        #expect(loop.mailboxes.isEmpty)
    }
}
