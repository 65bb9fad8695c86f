import Testing

@testable import EventLoop

@Suite struct SmoothedTimeTests {
    @Test(
        arguments: [
            ([], 0.0), ([5], 5), ([2000, 5], 5), ([5, 2000], 5), ([2000, 5, 6], 6), ([3, 9, 1, 7], 3),
            ([1, 2, 3, 4, 5, 6, 7, 8], 4), ([8, 7, 6, 5, 4, 3, 2, 1], 4), ([9, 9, 9, 9, 9, 9, 9, 9, 1, 1, 1, 1], 1),
        ] as [([Int], Double)])
    func itIsTheMiddleOne(answers: [Int], expected: Double) {
        #expect(smoothed(answers).milliseconds == expected)
    }

    @Test func oneSlowAnswerSaysNothing() {
        for place in 0..<40 {
            var time = SmoothedTime()
            for index in 0..<40 {
                time.add(.milliseconds(index == place ? 60_000 : 5))
                if index > 0 { #expect(time.milliseconds == 5) }
            }
        }
    }

    @Test func aLinkThatHasChangedIsBelievedAfterAFewAnswers() {
        var time = smoothed(Array(repeating: 5, count: 100))
        var answers = 0
        while time.milliseconds < 400 {
            time.add(.milliseconds(400))
            answers += 1
        }
        #expect(answers == 5)
        while time.milliseconds > 5 {
            time.add(.milliseconds(5))
            answers += 1
        }
        #expect(answers <= 10)
    }

    private func smoothed(_ answers: [Int]) -> SmoothedTime {
        var time = SmoothedTime()
        for answer in answers { time.add(.milliseconds(answer)) }
        return time
    }
}
