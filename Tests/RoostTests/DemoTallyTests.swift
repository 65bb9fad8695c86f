import MQTT
import Testing

@testable import roost

@Suite struct DemoTallyTests {
    /// What happens to the messages of one topic, by their numbers.
    enum Event: Sendable {
        case published(Int)
        case resent(Int)
        case acknowledged(Int)
        case refused(Int)
        case arrived(Int)
    }

    static func totals(_ qos: QoS, _ events: [Event]) -> Tally.Totals {
        var tally = Tally()
        let other = tally.add(.atLeastOnce)
        let topic = tally.add(qos)
        tally.published(other)
        tally.acknowledged(other, 1)
        tally.arrived(other, 1)
        for event in events {
            switch event {
            case .published: tally.published(topic)
            case .resent(let number): tally.resent(topic, number)
            case .acknowledged(let number): tally.acknowledged(topic, number)
            case .refused(let number): tally.refused(topic, number)
            case .arrived(let number): tally.arrived(topic, number)
            }
        }
        return tally.totals
    }

    @Test func arrivalAndAcknowledgementComeInEitherOrder() {
        let totals = Self.totals(
            .atLeastOnce, [.published(1), .published(2), .arrived(1), .acknowledged(1), .acknowledged(2), .arrived(2)])

        #expect(totals.isPerfect)
        #expect(totals.published == 3 && totals.acknowledged == 3 && totals.arrived == 3)
    }

    @Test func whatIsAcknowledgedAndNotThereIsMissing() {
        let totals = Self.totals(
            .atLeastOnce,
            [
                .published(1), .published(2), .published(3), .acknowledged(1), .acknowledged(2), .acknowledged(3),
                .arrived(1), .arrived(3),
            ])

        #expect(totals.missing == 1)
        #expect(totals.outOfOrder == 0)
        #expect(!totals.isPerfect)
    }

    @Test func aLaterMessageFirstIsOutOfOrder() {
        let totals = Self.totals(.atLeastOnce, [.arrived(1), .arrived(3), .arrived(2), .arrived(4)])

        #expect(totals.outOfOrder == 1)
        #expect(totals.duplicates == 0)
        #expect(totals.arrived == 5)
    }

    @Test(
        arguments: [
            // Sent once, there twice.
            (.atLeastOnce, [.arrived(1), .arrived(1)], 1, 0),
            (.exactlyOnce, [.arrived(1), .arrived(1)], 1, 0),
            (.atMostOnce, [.arrived(1), .arrived(1)], 1, 0),
            // Sent twice: at QoS 1 a second copy is the publisher's own.
            (.atLeastOnce, [.arrived(1), .resent(1), .arrived(1)], 0, 1),
            (.atLeastOnce, [.resent(1), .arrived(1), .arrived(1), .arrived(1)], 1, 1),
            (.exactlyOnce, [.resent(1), .arrived(1), .arrived(1)], 1, 0),
            // Sent twice, there once.
            (.atLeastOnce, [.resent(1), .arrived(1)], 0, 0),
            (.atLeastOnce, [.resent(1), .arrived(1), .arrived(2), .arrived(1), .arrived(2)], 1, 1),
        ] as [(QoS, [Event], Int, Int)])
    func secondCopies(qos: QoS, events: [Event], duplicates: Int, repeated: Int) {
        let totals = Self.totals(qos, events)

        #expect(totals.duplicates == duplicates)
        #expect(totals.repeated == repeated)
    }

    @Test func aResendThatOvertakesNothingIsInOrder() {
        let totals = Self.totals(
            .atLeastOnce,
            [.arrived(1), .arrived(2), .resent(1), .resent(2), .arrived(1), .arrived(2), .arrived(3)])

        #expect(totals.outOfOrder == 0)
        #expect(totals.duplicates == 0)
        #expect(totals.repeated == 2)
    }

    @Test func qos0IsCountedApartAndNeverMissing() {
        let totals = Self.totals(.atMostOnce, [.published(1), .published(2), .published(3), .arrived(1), .arrived(3)])

        #expect(totals.published == 1 && totals.published0 == 3)
        #expect(totals.arrived == 1 && totals.arrived0 == 2)
        #expect(totals.isPerfect)
    }

    @Test func aRefusedMessageIsNotFine() {
        let totals = Self.totals(.atLeastOnce, [.published(1), .refused(1)])

        #expect(totals.refused == 1)
        #expect(!totals.isPerfect)
    }

    @Test func whatGetsNoAcknowledgementIsNotFine() {
        #expect(!Self.totals(.atLeastOnce, [.published(1), .arrived(1)]).isPerfect)
    }
}
