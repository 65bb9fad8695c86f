import EventLoop
import Testing

@testable import Store

/// Changes that nobody waits for are put off, and never overtake one that was made after them.
@Suite struct PutOffChangesTests {
    private final class Reports { weak var log: Log? }

    enum Flush: CaseIterable { case stop, timer }

    /// A row is written anew after another change became due, which its first version was put off before.
    @Test(arguments: Flush.allCases)
    func theNewestOfTwoRowsStays(flush: Flush) throws {
        let directory = TemporaryDirectory()
        let clock = VirtualClock()
        let loop = EventLoop(clock: clock, poller: VirtualPoller())
        defer { loop.tearDown() }
        let database = try Database.open(path: directory.path)
        let state = try database.load()
        let reports = Reports()
        let store = StoreStep(database: database) { reports.log?.handle($0) }
        let log = Log(loop: loop, engine: store, options: LogOptions(), state: state)
        reports.log = log
        func row(_ last: UInt64) -> GapRecord {
            GapRecord(
                route: "cloud/all", run: 1, lane: 0, first: 1, last: last, reason: .evicted, from: 1, to: 2)
        }
        func note(_ gap: GapRecord) { log.lazily(.state(.gap, key: gap.key, value: gap.value)) }

        // What the start itself has to write goes first: a change is put off only where nothing is due.
        loop.tick(wait: .zero)
        store.drain()
        #expect(log.dueChanges.isEmpty)
        note(row(10))
        #expect(log.lazyChanges.isEmpty == false)
        log.commit([.state(.will, key: [1], value: [1])])
        note(row(20))
        if flush == .timer { log.flushLazily() }
        log.close([]) {}
        store.drain()

        let stored = try Database.openReadOnly(path: directory.path)
        let gaps = try stored.load().states.filter { $0.kind == .gap }
        #expect(gaps.compactMap { GapRecord(key: $0.key, value: $0.value) } == [row(20)])
        try stored.close()
    }
}
