import Glibc
import Synchronization
import Testing

@testable import EventLoop

@Suite struct ThreadTests {
    @Test func mailFromManyThreadsArrivesInEachOnesOrder() throws {
        let loop = try EventLoop()
        var next = [Int](repeating: 0, count: 8)
        var outOfOrder = 0
        let mailbox = Mailbox<(Int, Int)>(loop: loop) { thread, number in
            if next[thread] != number { outOfOrder += 1 }
            next[thread] += 1
        }

        for thread in 0..<8 {
            let started = startThread {
                for number in 0..<2000 { mailbox.post((thread, number)) }
            }
            #expect(started)
        }

        #expect(loop.turn { next.allSatisfy { $0 == 2000 } })
        #expect(outOfOrder == 0)
    }

    @Test func mailEndsAWaitThatHasNoTimer() throws {
        let loop = try EventLoop()
        let mailbox = Mailbox<Int>(loop: loop) { _ in loop.stop() }
        let started = startThread { mailbox.post(1) }
        #expect(started)

        loop.run()
    }

    @Test func signalsArriveOnTheLoop() throws {
        let loop = try EventLoop()
        var seen: [Int32] = []
        let source = try SignalSource(loop: loop, signals: [SIGUSR1, SIGUSR2]) { seen.append($0) }

        pthread_kill(pthread_self(), SIGUSR1)
        pthread_kill(pthread_self(), SIGUSR2)

        #expect(loop.turn { seen.count == 2 })
        #expect(seen.sorted() == [SIGUSR1, SIGUSR2].sorted())
        source.close()
        source.close()
    }

    @Test func systemClockMoves() {
        let clock: any Clock = SystemClock()
        let before = clock.now
        #expect(clock.now >= before)
        #expect(clock.bootID.utf8.count == 36)
        #expect(clock.wallMilliseconds > 0)
    }
}
