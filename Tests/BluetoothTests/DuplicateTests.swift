import EventLoop
import Testing

@testable import Bluetooth

@Suite struct DuplicateTests {
    private let kind = Advertisement.Part.Kind.service(AttributeUUID(short: 0xFCD2))

    private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    private func decoded(_ sequence: UInt32?) -> Decoded { Decoded(.bthome, [], sequence: sequence) }

    @Test func whatDoesNotCountIsNewsAgainAfterTheWindow() {
        let filter = Box(window: .seconds(10))
        let part = Advertisement.Part(kind, [1])
        #expect(!filter.isRepeated(part, at: at(0)))
        #expect(!filter.isRepeated(part, decoded(nil), at: at(0)))
        // However often it is heard meanwhile.
        for second in 1..<10 { #expect(filter.isRepeated(part, at: at(Int64(second)))) }
        #expect(!filter.isRepeated(part, at: at(10)))
    }

    @Test func whatCountsIsTheSameForAsLongAsItIsRepeated() {
        let filter = Box(window: .seconds(10))
        let part = Advertisement.Part(kind, [1])
        #expect(!filter.isRepeated(part, decoded(7), at: at(0)))
        for second in stride(from: 9, to: 600, by: 9) { #expect(filter.isRepeated(part, at: at(Int64(second)))) }
        // A device that begins at the same number each time it wakes is heard each time.
        #expect(!filter.isRepeated(part, at: at(700)))
        #expect(!filter.isRepeated(part, decoded(7), at: at(700)))
    }

    @Test func otherBytesUnderTheSameNumberAreTheSameMessage() {
        let filter = Box(window: .seconds(10))
        #expect(!filter.isRepeated(.init(kind, [1]), decoded(7), at: at(0)))
        #expect(filter.isRepeated(.init(kind, [2]), decoded(7), at: at(1)))
        #expect(!filter.isRepeated(.init(kind, [2]), decoded(8), at: at(2)))
        #expect(!filter.isRepeated(.init(kind, [3]), decoded(nil), at: at(3)))
        #expect(!filter.isRepeated(.init(kind, [4]), decoded(nil), at: at(3)))
    }

    @Test func whoTakesTurnsBetweenTwoMessagesSaysEachOnce() {
        let filter = Box(window: .seconds(10))
        let parts = [Advertisement.Part(kind, [1]), Advertisement.Part(kind, [2])]
        let thermometer = [
            Decoded(.atc, [], sequence: 7), Decoded(.pvvx, [], sequence: 7),
        ]
        for numbered in [false, true] {
            var accepted = 0
            for second in 0..<8 {
                let part = parts[second % 2]
                let now = at(Int64(second) + (numbered ? 1000 : 0))
                guard !filter.isRepeated(part, at: now) else { continue }
                if !filter.isRepeated(part, numbered ? thermometer[second % 2] : decoded(nil), at: now) {
                    accepted += 1
                }
            }
            #expect(accepted == 2)
        }
    }

    @Test func manyKindsOfPartsAreForgottenOldestFirst() {
        let filter = Box(window: .seconds(1000))
        for company in 0..<UInt16(100) {
            let part = Advertisement.Part(.manufacturer(company), [1])
            #expect(!filter.isRepeated(part, at: at(Int64(company))))
            _ = filter.isRepeated(part, nil, at: at(Int64(company)))
            #expect(filter.isRepeated(part, at: at(Int64(company))))
        }
        #expect(!filter.isRepeated(.init(.manufacturer(0), [1]), at: at(100)))
        #expect(filter.isRepeated(.init(.manufacturer(99), [1]), at: at(100)))
    }

    @Test func connectionsAreServedInTurn() {
        let slots = ConnectionSlots(1)
        var served: [Int] = []
        _ = slots.request { served.append(1) }
        let second = slots.request { served.append(2) }
        _ = slots.request { served.append(3) }
        #expect(served == [1])
        slots.cancel(second)
        slots.release()
        #expect(served == [1, 3])
    }
}

/// `#expect` takes nothing that changes a value.
private final class Box {
    private var filter: DuplicateFilter

    init(window: Duration) { filter = DuplicateFilter(window: window) }

    func isRepeated(_ part: Advertisement.Part, at now: Instant) -> Bool { filter.isRepeated(part, at: now) }

    func isRepeated(_ part: Advertisement.Part, _ decoded: Decoded?, at now: Instant) -> Bool {
        filter.isRepeated(part, decoded, at: now)
    }
}
