import EventLoop
import Testing

@testable import Uplink

@Suite struct BatchTuningTests {
    @Test(arguments: [
        // At half a byte on the wire for a byte of packets.
        (8000.0 as Double?, nil as Double?, 16_000), (1_000_000, nil, 262_144), (nil, nil, 262_144),
        (nil, 8000, 16_384), (nil, 20_000, 40_000), (8000, 4000, 16_000),
    ])
    func batchesHoldTheLinkForASecondAtMost(pace: Double?, measured: Double?, bytes: Int) {
        let tuning = BatchTuning()
        let target = tuning.target(
            limit: 262_144, pace: pace, measured: measured, linkTime: .seconds(1), maximumPacket: .max)

        #expect(target == bytes)
    }

    @Test func theRatioIsLearned() {
        var tuning = BatchTuning()
        for _ in 0..<30 { tuning.sent(packets: 100_000, wire: 20_000) }
        #expect(abs(tuning.wireRatio - 0.2) < 0.01)
        tuning.sent(packets: 20, wire: 200)
        #expect(abs(tuning.wireRatio - 0.2) < 0.01)

        tuning.didNotFit(packets: 100_000, wire: 90_000)
        #expect(tuning.wireRatio == 0.9)
    }

    private static let levels: [(RouteOptions.Level, Int, Double?, Bool, BatchLevel)] = [
        (.auto, 200_000, nil, false, .high), (.auto, 200_000, nil, true, .fast), (.auto, 200, nil, false, .fast),
        (.auto, 16_000, 8000, false, .highest), (.auto, 200_000, 8000, false, .high),
        (.auto, 200_000, 1e9, false, .fast), (.fast, 16_000, 8000, false, .fast), (.high, 16_000, 8000, true, .highest),
        (.high, 200_000, 1e9, true, .high), (.high, 200, nil, true, .high),
    ]

    @Test(arguments: levels)
    func effortFollowsTheLinkAndTheCore(
        setting: RouteOptions.Level, packets: Int, rate: Double?, isBusy: Bool, level: BatchLevel
    ) {
        #expect(BatchTuning.level(setting, packets: packets, rate: rate, isBusy: isBusy) == level)
    }

    @Test func aCoreIsBusyByTheTimeThatItsThreadUsed() {
        var used: Int64 = 0
        var load = CoreLoad { used }
        var now = Instant(milliseconds: 0)
        func pass(_ share: Double) -> Bool {
            now = now + .milliseconds(300)
            used += Int64(share * 300_000_000)
            return load.isBusy(now)
        }

        #expect((0..<10).map { _ in pass(0.2) }.allSatisfy { !$0 })
        #expect((0..<10).map { _ in pass(0.95) }.last == true)
        #expect((0..<10).map { _ in pass(0.2) }.last == false)
        var unknown = CoreLoad(used: nil)
        let isBusy = unknown.isBusy(now)
        #expect(!isBusy)
    }
}
