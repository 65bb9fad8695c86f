import EventLoop
import Testing

@testable import Uplink

/// When messages whose publishers wait go, and when they gather.
@Suite struct EagerGatheringTests {
    private let start = Instant(nanoseconds: 1_000_000_000)
    private let settle = Duration.milliseconds(20)

    /// How long after its coming a message goes that came `after` the batch before it.
    private func wait(
        _ gathering: EagerGathering, after: Duration, answer: Double = 0, isAnswered: Bool = true
    ) -> Duration {
        let since = start + after
        return gathering.deadline(since: since, settle: settle, answer: answer, isAnswered: isAnswered) - since
    }

    @Test func theFirstMessageGoesAtOnce() {
        #expect(wait(EagerGathering(), after: .zero) == .zero)
    }

    @Test(arguments: [
        (after: 0, answer: 0.0, wait: 10), (after: 4, answer: 0, wait: 6), (after: 10, answer: 0, wait: 0),
        (after: 90, answer: 0, wait: 0), (after: 0, answer: 2, wait: 8), (after: 0, answer: 9, wait: 5),
        (after: 0, answer: 1e9, wait: 5),
    ])
    func whatComesSoonAfterABatchGathers(row: (after: Int, answer: Double, wait: Int)) {
        var gathering = EagerGathering()

        gathering.sent(20, at: start, waited: .zero, settle: settle, answer: row.answer)

        #expect(wait(gathering, after: .milliseconds(row.after), answer: row.answer) == .milliseconds(row.wait))
    }

    @Test func aPublisherThatWaitsForEachAcknowledgementIsNotMadeToGather() {
        var gathering = EagerGathering()

        gathering.sent(1, at: start, waited: .milliseconds(9), settle: settle, answer: 1)

        #expect(wait(gathering, after: .milliseconds(1)) == .zero)
        #expect(wait(gathering, after: .milliseconds(1), isAnswered: false) == settle / 4)
    }

    @Test func itIsTriedAgainAfterManyBatches() {
        var gathering = EagerGathering()
        gathering.sent(1, at: start, waited: .milliseconds(9), settle: settle, answer: 1)

        for _ in 0..<64 { gathering.sent(1, at: start, waited: .zero, settle: settle, answer: 1) }

        #expect(wait(gathering, after: .milliseconds(1)) == .milliseconds(9))
    }

    @Test func aBatchThatBroughtManyGathersOn() {
        var gathering = EagerGathering()

        gathering.sent(20, at: start, waited: .milliseconds(9), settle: settle, answer: 1)

        #expect(wait(gathering, after: .zero) == .milliseconds(10))
    }
}
