import Testing

@testable import Store

/// Whom the writer waits for.
@Suite struct GatheringTests {
    @Test func aLonePublisherIsNotWaitedFor() {
        var gathering = Gathering()

        gathering.begin()
        gathering.end(messages: 1, waiting: 0)

        #expect(gathering.enough == 0)
    }

    @Test func thoseWhoWereAcknowledgedAndThoseWhoCameMeanwhileAreWaitedFor() {
        var gathering = Gathering()

        gathering.begin()
        gathering.end(messages: 40, waiting: 24)

        #expect(gathering.enough == 64)
    }

    @Test func whoStaysAwayIsForgotten() {
        var gathering = Gathering()
        gathering.end(messages: 64, waiting: 0)

        for _ in 0..<100 { gathering.end(messages: 2, waiting: 0) }
        #expect(gathering.enough == 2)
        gathering.end(messages: 1, waiting: 0)

        #expect(gathering.enough == 0)
    }

    @Test func commitsThatOnlyChangeTablesWaitForNobody() {
        var gathering = Gathering()

        gathering.end(messages: 0, waiting: 0)

        #expect(gathering.enough == 0)
    }
}
