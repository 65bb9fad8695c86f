import Testing

@testable import Store

@Suite struct SupersededNumbersTests {
    @Test func stretchesJoinAndAreReadBack() throws {
        var numbers = SupersededNumbers()
        var model: Set<UInt64> = []
        var seed: UInt64 = 1
        for _ in 0..<2000 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let number = seed >> 52 + 1
            model.insert(number)
            let time = Int64(number) * 10 - 5000
            numbers.insert(SupersededNumbers.Stretch(first: number, last: number, from: time, to: time))
        }

        let read = SupersededNumbers(numbers.encoded)

        #expect(read.stretches == numbers.stretches)
        #expect(Set(read.stretches.flatMap { Array($0.first...$0.last) }) == model)
        for (one, next) in zip(read.stretches, read.stretches.dropFirst()) { #expect(one.last + 1 < next.first) }
        #expect(
            read.stretches.allSatisfy { $0.from == Int64($0.first) * 10 - 5000 && $0.to == Int64($0.last) * 10 - 5000 })
    }

    @Test(
        arguments: [[], [1], [0x80], [1, 0, 0, 0, 0, 0, 0, 0], Array(repeating: UInt8(0xFF), count: 60)] as [[UInt8]])
    func nonsenseIsReadAsFarAsItGoes(bytes: [UInt8]) {
        #expect(SupersededNumbers(bytes).stretches.count <= 1)
    }

    @Test func keysNameRunAndLane() throws {
        let key = SupersededNumbers.key(route: "cloud/all", run: 7, lane: 2)
        let place = try #require(SupersededNumbers.place(key, route: "cloud/all"))
        #expect(place == (7, 2))
        #expect(SupersededNumbers.place(key, route: "cloud/other") == nil)
        #expect(GapRecord(key: key, value: SupersededNumbers().encoded) == nil)
    }
}

@Suite struct PassedSegmentsTests {
    @Test(arguments: [1, 200])
    func segmentsWhollyPassedGoWhereverTheyLie(pieces: Int) throws {
        let directory = TemporaryDirectory()
        let database = try Database.open(path: directory.path)
        _ = try database.commit(
            Sample.group(
                1, (0..<50).map { Sample.segment(1, UInt64($0 * 10 + 1), count: 10) }, [.stream(Sample.route(1))]))
        var ranges: [ClosedRange<UInt64>] = [15...44, 91...100, 481...500]
        // Many small ones take the other way.
        if pieces > 1 { ranges += (0..<pieces).map { UInt64(105 + $0)...UInt64(105 + $0) } }

        _ = try database.commit(
            Sample.group(2, [], [.passed(StreamID(rawValue: 1), ranges.sorted { $0.lowerBound < $1.lowerBound })]))

        let left = try database.all(1).map(\.first)
        #expect(!left.contains { [21, 31, 91, 481, 491].contains($0) })
        #expect(left.count == 45)
        #expect(try database.counters(1)?.messages == 450)
        #expect(try database.checkIntegrity().ok)
    }

    /// On a full disk a trim goes ahead of its group; but what was superseded stays until the newer message is on disk.
    @Test func whatIsSupersededIsNotTrimmedAheadOfTheNewerMessage() throws {
        let directory = TemporaryDirectory()
        let database = try Database.open(path: directory.path)
        let names = ["cloud/latest", "cloud/all"]
        for (index, name) in names.enumerated() {
            let id = Int64(index + 1)
            let segments = (1...3).map { Sample.segment(id, $0) }
            _ = try database.commit(Sample.group(UInt64(id), segments, [.stream(Sample.route(id, name))]))
        }
        var superseded = SupersededNumbers()
        superseded.insert(.init(first: 1, last: 2, from: 1, to: 2))
        let evicted = GapRecord(
            route: names[1], run: 1, lane: 0, first: 1, last: 2, reason: .evicted, from: 1, to: 2)
        let early = GapRecord(
            route: names[1], run: 1, lane: 0, first: 5, last: 5, reason: .unstored, from: 1, to: 2)
        let changes: [Change] = [
            .state(.gap, key: early.key, value: early.value),
            .trim(StreamID(rawValue: 1), below: 3), .trim(StreamID(rawValue: 2), below: 3),
            .state(
                .gap, key: SupersededNumbers.key(route: names[0], run: 1, lane: 0), value: superseded.encoded),
            .state(.gap, key: evicted.key, value: evicted.value),
        ]

        try database.trimOnly([Sample.group(3, [Sample.segment(1, 4)], changes)])

        #expect(try database.all(1).map(\.first) == [1, 2, 3])
        #expect(try database.all(2).map(\.first) == [3])
        let gaps = try database.load().states.filter { $0.kind == .gap }
        #expect(gaps.map { GapRecord(key: $0.key, value: $0.value) } == [evicted])
        try database.close()
    }
}
