import EventLoop
import MQTT
import Testing

@testable import roost

@Suite struct DemoPartsTests {
    /// PUBLISH: fixed header 2 or 3, Topic Name's length 2, Packet Identifier 2; PUBACK 4 (MQTT 3.1.1 §2.2.3, §3.3, §3.4).
    @Test(
        arguments: [
            ("a", 0, 2 + 2 + 1 + 2 + 4), ("plant/press", 100, 2 + 2 + 11 + 2 + 100 + 4),
            // Remaining Length 127 is the last that takes one byte, 16,383 the last that takes two.
            ("abc", 120, 2 + 127 + 4), ("abc", 121, 3 + 128 + 4), ("abc", 16_376, 3 + 16_383 + 4),
            ("abc", 16_377, 4 + 16_384 + 4),
        ] as [(String, Int, Int)])
    func plainBytes(topic: String, payload: Int, bytes: Int) {
        let counted = Array(topic.utf8).withUnsafeBytes { PlainMQTT.bytes(topic: $0, payloadCount: payload) }

        #expect(counted == bytes)
    }

    @Test func readingsCarryTheirNumbers() {
        for device in Factory.devices {
            for series in device.series {
                var readings = Readings(series, device: device.name)
                for number in 1...1_001 {
                    let payload = readings.next(milliseconds: 1_795_501_263_045)
                    #expect(payload.withUnsafeBytes(Readings.number) == number)
                }
            }
        }
    }

    @Test(arguments: [
        "", "{", "{\"n\":", "{\"n\":,", "{\"n\":12", "{\"n\":1x,", "{\"n\":0,", "hello", "{\"n\":12345678901234567,",
    ])
    func otherPayloadsAreNoReadings(text: String) {
        #expect(Array(text.utf8).withUnsafeBytes(Readings.number) == nil)
    }

    @Test func timesAreISO8601() {
        #expect(Readings.time(0) == "1970-01-01T00:00:00.000Z")
        #expect(Readings.time(1_795_501_263_045) == "2026-11-24T06:21:03.045Z")
    }

    @Test func topicsOfTheFactoryDiffer() {
        let topics = Factory.devices.flatMap(\.series).map(\.topic)

        #expect(Set(topics).count == topics.count)
        #expect(Set(Factory.devices.map(\.name)).count == Factory.devices.count)
        #expect(Factory.devices.count == 20)
    }

    @Test func whoPublishesAtQoS2KeepsItsSession() {
        for device in Factory.devices where device.series.contains(where: { $0.qos == .exactlyOnce }) {
            #expect(device.keepsSession)
        }
    }

    @Test(
        arguments: [(0, .flowing), (19.9, .flowing), (20, .cut), (45, .killed), (65, .restored), (100, .draining)]
            as [(Double, Scenario.Act)])
    func theStoryGoesThroughItsActs(elapsed: Double, act: Scenario.Act) {
        #expect(Scenario(seconds: 100).act(at: elapsed) == act)
    }

    @Test func ratesCoverTheLastSecond() {
        var meter = RateMeter()
        for quarter in 0...40 {
            meter.note([quarter < 20 ? 0 : (quarter - 20) * 25], at: Instant(milliseconds: Int64(quarter) * 250))
        }

        #expect(meter.rate(0) == 100)
    }
}
