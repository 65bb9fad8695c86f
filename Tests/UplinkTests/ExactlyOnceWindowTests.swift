import EventLoop
import Store
import Testing

@testable import Uplink

@Suite struct ExactlyOnceWindowTests {
    private typealias Place = ExactlyOnceWindow.Place

    private static func numbering(run: Int64, lane: UInt16) -> Numbering {
        Numbering(run: run, epoch: UInt64(run) * 16, lane: lane)
    }

    private static func place(_ number: UInt64, run: Int64 = 1) -> Place {
        Place(numbering: numbering(run: run, lane: 0), number: number)
    }

    private static func window(_ record: ExactlyOnceRecord? = nil) -> ExactlyOnceWindow {
        ExactlyOnceWindow(record, numbering: numbering)
    }

    private static func entry(_ identifier: UInt16, _ number: UInt64?, released: Bool = false)
        -> ExactlyOnceRecord.Entry
    {
        ExactlyOnceRecord.Entry(
            identifier: identifier, message: number.map { ExactlyOnceRecord.Message(run: 1, lane: 0, number: $0) },
            isReleased: released)
    }

    private static let now = Instant(milliseconds: 1)

    @Test func publishWaitsForTheCommitOfItsBinding() throws {
        var window = Self.window()
        window.bind(1, to: Self.place(10))
        #expect(!window.isReady(1))

        let begun = window.beginCommit()
        let record = try #require(begun)
        #expect(record.entries == [Self.entry(1, 10)])
        #expect(!window.isReady(1))
        window.bind(2, to: Self.place(11))
        _ = window.endCommit()

        #expect(window.isReady(1))
        #expect(!window.isReady(2), "it came after the commit began")
    }

    @Test func pubrelWaitsForTheCommitOfPubrec() throws {
        var window = Self.window()
        for identifier in 1...3 as ClosedRange<UInt16> { window.bind(identifier, to: Self.place(UInt64(identifier))) }
        _ = window.beginCommit()
        let result1 = window.endCommit()
        #expect(result1 == [])
        for identifier in 1...3 as ClosedRange<UInt16> { window.publish(identifier, Self.now) }

        let result2 = window.receive(2)
        #expect(result2)
        let result3 = window.receive(1)
        #expect(result3)
        let result4 = window.receive(1)
        #expect(!result4, "PUBREC came twice")
        let begun = window.beginCommit()
        let record = try #require(begun)
        let result5 = window.receive(3)
        #expect(result5)

        #expect(
            record.entries == [Self.entry(2, 2, released: true), Self.entry(1, 1, released: true), Self.entry(3, 3)])
        let result6 = window.endCommit()
        #expect(result6 == [2, 1], "in the order of the PUBRECs [MQTT-4.6.0-4]")
        #expect(window.mustCommit)
        _ = window.beginCommit()
        let result7 = window.endCommit()
        #expect(result7 == [3])
    }

    @Test func oneCommitIsUnderWayAtATime() {
        var window = Self.window()
        window.bind(1, to: Self.place(1))
        let result8 = window.beginCommit()
        #expect(result8 != nil)
        window.bind(2, to: Self.place(2))

        let result9 = window.beginCommit()
        #expect(result9 == nil)
        _ = window.endCommit()
        let result10 = window.beginCommit()
        #expect(result10?.entries.count == 2)
        _ = window.endCommit()
        let result11 = window.beginCommit()
        #expect(result11 == nil, "nothing is new")
    }

    @Test func whatIsFinishedNeedsNoCommitOfItsOwn() {
        var window = Self.window(ExactlyOnceRecord(session: "s", entries: [Self.entry(5, 50, released: true)]))
        #expect(window.released == [5])

        window.finish(5)

        #expect(window.isEmpty)
        #expect(!window.mustCommit)
    }

    @Test func aRestoredWindowGoesOnWhereItWas() {
        let record = ExactlyOnceRecord(
            session: "s",
            entries: [Self.entry(9, 1, released: true), Self.entry(4, nil, released: true), Self.entry(7, 2)])
        let window = Self.window(record)

        #expect(window.released == [9, 4])
        #expect(window.bound == [7])
        #expect(window.isReady(7))
        #expect(window[7]?.mayBeThere == true)
        #expect(window.identifier(of: Self.place(2)) == 7)
        #expect(window.identifier(of: Self.place(1)) == 9)
        #expect(window.identifier(of: Self.place(3)) == nil)
        #expect(window.identifier(of: Self.place(2, run: 2)) == nil)
    }

    @Test func whatAnotherRecordNamesTwiceIsTakenOnce() {
        let record = ExactlyOnceRecord(
            session: "s", entries: [Self.entry(7, 1), Self.entry(7, 2), Self.entry(0, 3), Self.entry(300, 4)])

        #expect(Self.window(record).bound == [7])
    }

    @Test func aLostConnectionHasThePublishedSentAgain() {
        var window = Self.window()
        for identifier in 1...2 as ClosedRange<UInt16> { window.bind(identifier, to: Self.place(UInt64(identifier))) }
        _ = window.beginCommit()
        _ = window.endCommit()
        window.publish(1, Self.now)
        #expect(window.oldestSent == Self.now)

        window.disconnect()

        #expect(window.oldestSent == nil)
        #expect(window.isReady(1))
        #expect(window[1]?.mayBeThere == true)
        #expect(window[2]?.mayBeThere == false)
    }

    @Test func anotherSessionCountsWhatTheOneBeforeMayHaveHad() {
        var window = Self.window(
            ExactlyOnceRecord(
                session: "a", entries: [Self.entry(1, 1, released: true), Self.entry(2, nil, released: true)]))
        window.bind(3, to: Self.place(3))
        window.bind(4, to: Self.place(4))
        _ = window.beginCommit()
        window.publish(3, Self.now)

        let result12 = window.begin(session: "b")
        #expect(result12 == 2)

        #expect(window.isEmpty)
        let result13 = window.endCommit()
        #expect(result13 == [], "the commit that was under way is of the session before")
        let result14 = window.beginCommit()
        #expect(result14 == ExactlyOnceRecord(session: "b", entries: []))
    }

    @Test func aBindingOfABrokenOffCommitIsNotTakenForTheOneAfter() {
        var window = Self.window()
        window.bind(1, to: Self.place(1))
        _ = window.beginCommit()
        let result15 = window.unbindUnpublished()
        #expect(result15 == [1])

        window.bind(1, to: Self.place(2))
        _ = window.endCommit()

        #expect(!window.isReady(1))
    }

    @Test func whatIsAbandonedIsClearedAtTheServer() throws {
        var window = Self.window(ExactlyOnceRecord(session: "s", entries: [Self.entry(1, 1)]))

        window.abandon(1)
        window.clear(2)

        let begun = window.beginCommit()
        let record = try #require(begun)
        #expect(record.entries == [Self.entry(1, nil, released: true), Self.entry(2, nil, released: true)])
        // The Server may answer a PUBREL of the connection's beginning before the commit is done.
        window.finish(1)
        let result16 = window.endCommit()
        #expect(result16 == [2])
        #expect(window.released == [2])
        #expect(!window.mustCommit)
        window.finish(2)
        #expect(window.mustCommit, "or all would be cleared again")
    }
}

@Suite struct ExactlyOnceRecordTests {
    private static func message(_ number: UInt64, run: Int64 = 3, lane: UInt16 = 0) -> ExactlyOnceRecord.Message {
        ExactlyOnceRecord.Message(run: run, lane: lane, number: number)
    }

    private static let mixed = ExactlyOnceRecord(
        session: "node-cloud mqtt://cloud:1883",
        entries: [
            .init(identifier: 256, message: message(9), isReleased: true),
            .init(identifier: 1, message: message(10), isReleased: true),
            .init(identifier: 5, message: nil, isReleased: true), .init(identifier: 6, message: nil, isReleased: true),
            .init(identifier: 2, message: message(11), isReleased: false),
            .init(identifier: 3, message: message(12), isReleased: false),
            .init(identifier: 4, message: message(13, run: 4), isReleased: false),
            .init(identifier: 7, message: message(1 << 40, run: 4, lane: 7), isReleased: false),
        ])

    @Test func itReadsBackAsItWas() {
        #expect(ExactlyOnceRecord(decoding: Self.mixed.encoded) == Self.mixed)
        let empty = ExactlyOnceRecord(session: "", entries: [])
        #expect(ExactlyOnceRecord(decoding: empty.encoded) == empty)
    }

    @Test func aWindowInItsUsualStateIsSmall() {
        let entries = (0..<200 as Range<UInt16>).map {
            ExactlyOnceRecord.Entry(
                identifier: ($0 + 100) % 256 + 1, message: Self.message(UInt64($0) + 1_000_000), isReleased: $0 < 20)
        }
        let record = ExactlyOnceRecord(session: "roost-ingest mqtt://broker:1883", entries: entries)

        #expect(record.encoded.count < 70)
        #expect(ExactlyOnceRecord(decoding: record.encoded) == record)
    }

    @Test func whatIsNoRecordIsNone() {
        let bytes = Self.mixed.encoded
        #expect(ExactlyOnceRecord(decoding: []) == nil)
        #expect(ExactlyOnceRecord(decoding: [2] + bytes.dropFirst()) == nil)
        for count in 0..<bytes.count { _ = ExactlyOnceRecord(decoding: Array(bytes[..<count])) }
        var numbers = SplitMix64(state: 11)
        for _ in 0..<20_000 {
            var damaged = bytes
            damaged[Int(numbers.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: numbers.next())
            _ = ExactlyOnceRecord(decoding: damaged)
        }
    }
}
