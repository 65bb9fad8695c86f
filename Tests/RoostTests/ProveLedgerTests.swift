import EventLoop
import MQTT
import Testing

@testable import roost

/// What `roost prove` believes: a proof that can't fail is none.
@Suite struct ProveLedgerTests {
    /// By QoS.
    private func series(_ qos: QoS, of publisher: Int = 1) -> Int {
        workload.series.firstIndex { $0.qos == qos && $0.publisher == publisher } ?? 0
    }

    private let workload = Workload(publishers: 2, topics: 10, watched: 0..<1)
    private let loop: EventLoop
    private let ledger: Ledger

    init() throws {
        loop = try EventLoop()
        ledger = Ledger(workload, loop: loop)
        ledger.connected(.cloud)
        ledger.connected(.session)
    }

    private func publish(_ series: Int, _ numbers: ClosedRange<UInt64>, acknowledged: Bool = true) {
        for number in numbers {
            ledger.published(series)
            if acknowledged { ledger.acknowledged(series, number) }
        }
    }

    private func arrive(_ series: Int, _ numbers: [UInt64], at place: Ledger.Place = .cloud) {
        for number in numbers {
            var payload: [UInt8] = []
            workload.write(series, number, into: &payload)
            workload.series[series].topic.withUnsafeBytes { topic in
                payload.withUnsafeBytes { ledger.arrived(at: place, topic: topic, payload: $0) }
            }
        }
    }

    /// Arrivals of five acknowledged messages, and what is wrong with them.
    @Test(
        arguments: [
            (.atLeastOnce, [1, 2, 3, 4, 5], 0, 0, 0), (.atLeastOnce, [1, 2, 4, 5], 1, 0, 0),
            (.atLeastOnce, [], 5, 0, 0), (.atLeastOnce, [1, 3, 2, 4, 5], 0, 1, 0),
            (.atLeastOnce, [1, 2, 2, 3, 4, 5], 0, 0, 1), (.exactlyOnce, [1, 2, 3, 4, 5, 3, 4], 0, 0, 2),
            (.exactlyOnce, [2, 3, 4, 5, 1], 0, 1, 0),
        ] as [(QoS, [UInt64], Int, Int, Int)])
    func whatIsWrongIsCounted(qos: QoS, numbers: [UInt64], missing: Int, outOfOrder: Int, duplicates: Int) {
        let series = self.series(qos)
        publish(series, 1...5)

        arrive(series, numbers)

        let cloud = ledger.totals.cloud
        #expect(cloud.missing == missing)
        #expect(cloud.outOfOrder == outOfOrder)
        #expect(cloud.duplicates == duplicates)
        #expect(ledger.totals.isKept == (missing + outOfOrder + duplicates == 0))
        #expect(ledger.missing(at: .cloud, limit: 10).count == missing)
    }

    @Test func missingOnesAreNamed() {
        let series = self.series(.atLeastOnce)
        publish(series, 1...1000)
        arrive(series, Array(1...499) + Array(502...1000))

        let missing = ledger.missing(at: .cloud, limit: 10)

        #expect(missing.map(\.number) == [500, 501])
        #expect(missing.allSatisfy { $0.series == series && $0.acknowledged != nil })
    }

    @Test func whatTheSessionOnTheNodeMissesCountsToo() {
        let series = self.series(.atLeastOnce, of: 0)
        publish(series, 1...3)
        arrive(series, [1, 2, 3])
        #expect(ledger.totals.cloud.missing == 0)
        #expect(ledger.totals.session.missing == 3)

        arrive(series, [1, 3], at: .session)

        #expect(ledger.totals.session.missing == 1)
        #expect(!ledger.totals.isKept)
    }

    /// A publisher's own second sending at QoS 1 is no fault, as often as it sent; at QoS 2 it is one.
    @Test(
        arguments: [(.atLeastOnce, 1, 2, 0), (.atLeastOnce, 2, 2, 1), (.exactlyOnce, 1, 0, 2)] as [(QoS, Int, Int, Int)]
    )
    func copiesThatPublishersSentAreTheirs(qos: QoS, copies: Int, repeated: Int, duplicates: Int) {
        let series = self.series(qos)
        publish(series, 1...2, acknowledged: false)
        ledger.resent(series, 1)
        ledger.resent(series, 2)
        arrive(series, [1, 2, 1, 2] + Array(repeating: 2, count: copies - 1))

        #expect(ledger.totals.cloud.repeated == repeated)
        #expect(ledger.totals.cloud.duplicates == duplicates)
    }

    /// After a lost connection a broker may deliver again at QoS 1, from somewhere on and in order; once, and nothing else.
    @Test(
        arguments: [
            (.atLeastOnce, [3, 4, 5, 6], 3, 0), (.atLeastOnce, [4, 4, 5, 6], 2, 1), (.atLeastOnce, [5, 6, 5], 1, 1),
            (.exactlyOnce, [5, 6], 0, 1),
        ] as [(QoS, [UInt64], Int, Int)])
    func redeliveriesAreNoDuplicates(qos: QoS, then numbers: [UInt64], redelivered: Int, duplicates: Int) {
        let series = self.series(qos)
        publish(series, 1...6)
        arrive(series, [1, 2, 3, 4, 5])

        ledger.connected(.cloud)
        arrive(series, numbers)

        #expect(ledger.totals.cloud.redelivered == redelivered)
        #expect(ledger.totals.cloud.duplicates == duplicates)
        #expect(ledger.totals.cloud.missing == 0)
    }

    @Test func refusedMessagesMustNotArrive() {
        let series = self.series(.atLeastOnce)
        publish(series, 1...1)
        publish(series, 2...2, acknowledged: false)
        ledger.refused(series, 2)
        arrive(series, [1])
        #expect(ledger.totals.isKept)

        arrive(series, [2])

        #expect(ledger.totals.cloud.refused == 1)
        #expect(!ledger.totals.isKept)
    }

    /// Changed, on another topic, or never published.
    @Test func strangersAreTold() {
        let series = self.series(.atLeastOnce)
        publish(series, 1...1)
        arrive(series, [1])
        var payload: [UInt8] = []
        workload.write(series, 1, into: &payload)
        payload[payload.count - 2] ^= 1
        workload.series[series].topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { ledger.arrived(at: .cloud, topic: topic, payload: $0) }
        }
        arrive(series, [2])

        #expect(ledger.totals.strange == 2)
        #expect(!ledger.totals.isKept)
    }

    @Test func payloadsTellTheirNumbers() {
        for series in workload.series.indices {
            for number in [1, 9, 10, 99, 100, 12_345, 4_294_967_296] as [UInt64] {
                var payload: [UInt8] = []
                workload.write(series, number, into: &payload)
                let found = workload.series[series].topic.withUnsafeBytes { topic in
                    payload.withUnsafeBytes { workload.identify(topic: topic, payload: $0) }
                }
                #expect(found?.series == series)
                #expect(found?.number == number)
            }
        }
    }

    @Test func nothingAcknowledgedProvesNothing() {
        #expect(!ledger.totals.isKept)
    }
}
