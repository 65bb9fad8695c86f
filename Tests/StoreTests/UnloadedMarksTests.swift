import Testing

@testable import Store

/// How old what waits on disk is.
@Suite struct UnloadedMarksTests {
    private func mark(_ number: Int) -> UnloadedMarks.Mark {
        UnloadedMarks.Mark(number: UInt64(number), receivedAt: Int64(number) * 10, laneSequence: UInt64(number) * 3)
    }

    @Test func theMarkAtOrBeforeANumberCounts() {
        var marks = UnloadedMarks()
        marks.add(mark(10))
        marks.add(mark(20))

        #expect(marks.mark(9) == nil)
        #expect(marks.mark(10) == mark(10))
        #expect(marks.mark(19) == mark(10))
        #expect(marks.mark(500) == mark(20))
    }

    @Test func whatIsForgottenLeavesTheMarkThatStandsForTheNext() {
        var marks = UnloadedMarks()
        for number in 1...5 { marks.add(mark(number * 10)) }

        marks.forget(below: 35)

        #expect(marks.mark(29) == nil)
        #expect(marks.mark(35) == mark(30))
        #expect(marks.mark(40) == mark(40))
    }

    @Test func fewMarksStandForMany() throws {
        var marks = UnloadedMarks()
        for number in 1...10_000 { marks.add(mark(number)) }

        #expect(marks.mark(1) == mark(1))
        #expect(marks.mark(10_000) == mark(10_000))
        for number in stride(from: 1, through: 10_000, by: 100) {
            #expect(try #require(marks.mark(UInt64(number))).number <= number)
        }
    }
}
