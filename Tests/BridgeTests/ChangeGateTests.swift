import Bridge
import EventLoop
import Testing

@Suite struct ChangeGateTests {
    private func passed(_ gate: ChangeGate, _ values: [(Double, seconds: Int)]) -> [Double] {
        var gate = gate
        return values.filter {
            gate.passes(.good(.number($0.0)), at: Instant(nanoseconds: 0) + .seconds($0.seconds))
        }.map(\.0)
    }

    @Test func everyReadingWithoutAGate() {
        #expect(passed(ChangeGate(onChange: false), [(1, 0), (1, 1), (1, 2)]) == [1, 1, 1])
    }

    @Test func onlyWhatIsNew() {
        #expect(passed(ChangeGate(onChange: true), [(1, 0), (1, 1), (2, 2), (2, 3), (1, 4)]) == [1, 2, 1])
    }

    /// From the value that was published last, so that a slow drift is seen.
    @Test func deadbands() {
        let absolute = ChangeGate(onChange: true, deadband: .absolute(0.5))
        #expect(passed(absolute, [(10, 0), (10.4, 1), (10.5, 2), (10.6, 3), (10.2, 4), (10, 5)]) == [10, 10.6, 10])
        let percent = ChangeGate(onChange: true, deadband: .percent(2))
        #expect(
            passed(percent, [(100, 0), (101, 1), (102, 2), (102.1, 3), (104.1, 4), (104.2, 5)]) == [100, 102.1, 104.2])
    }

    @Test func heartbeat() {
        let gate = ChangeGate(onChange: true, heartbeat: .seconds(60))
        #expect(passed(gate, [(1, 0), (1, 59), (1, 60), (1, 61), (2, 62), (2, 121), (2, 122)]) == [1, 1, 2, 2])
    }

    @Test func failuresOnceAnEpisode() {
        var gate = ChangeGate(onChange: true, deadband: .absolute(10))
        let outcomes: [(Reading.Outcome, passes: Bool)] = [
            (.good(.number(1)), true), (.bad(error: "timeout"), true), (.bad(error: "timeout"), false),
            (.bad(error: "exception 2"), true), (.good(.number(1)), true), (.good(.number(2)), false),
        ]

        let passed = outcomes.map { gate.passes($0.0, at: Instant(nanoseconds: 0)) }

        #expect(passed == outcomes.map(\.passes))
    }
}
