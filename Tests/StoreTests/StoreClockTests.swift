import EventLoop
import Testing

@testable import Store

/// Store time over restarts and reboots, whatever the wall clock says.
@Suite struct StoreClockTests {
    private static let year: Int64 = 365 * 86_400_000
    private static let hour: Int64 = 3_600_000

    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var reboots: Bool
        var synchronisedBefore = true
        var synchronisedAfter = true
        /// Milliseconds by which the wall clock differs from the truth after the stop.
        var wallError: Int64 = 0
        /// Milliseconds of an hour's stop that count.
        var counted: Int64
    }

    static let cases: [Case] = [
        Case(testDescription: "same boot", reboots: false, counted: hour),
        Case(testDescription: "same boot, set back to 1970", reboots: false, wallError: -56 * year, counted: hour),
        Case(testDescription: "same boot, 30 years on", reboots: false, wallError: 30 * year, counted: hour),
        Case(
            testDescription: "same boot, never synchronised", reboots: false, synchronisedBefore: false,
            synchronisedAfter: false, counted: hour),
        Case(testDescription: "reboot, synchronised", reboots: true, counted: hour),
        Case(
            testDescription: "reboot into 1970", reboots: true, synchronisedAfter: false, wallError: -56 * year,
            counted: 0),
        Case(
            testDescription: "reboot 30 years on, not synchronised", reboots: true, synchronisedAfter: false,
            wallError: 30 * year, counted: 0),
        Case(
            testDescription: "reboot, not synchronised before", reboots: true, synchronisedBefore: false, counted: 0),
        Case(testDescription: "reboot, synchronised to an earlier date", reboots: true, wallError: -year, counted: 0),
    ]

    @Test(arguments: cases) func timeSwitchedOff(_ the: Case) {
        let machine = VirtualClock(isSynchronised: the.synchronisedBefore)
        let before = StoreClock(clock: machine, last: nil, newest: 0)
        machine.advance(by: .seconds(60))
        let last = RunRecord(
            ordinal: 1, epoch: 1, bootID: before.bootID, bootMilliseconds: before.bootMilliseconds,
            storeMilliseconds: before.now, wallOffset: before.wallOffset, clockSet: before.isSet,
            synchronised: before.isSynchronised, endedCleanly: true)

        machine.advance(by: .milliseconds(Self.hour))
        if the.reboots { machine.reboot(bootID: "another") }
        machine.wallMilliseconds += the.wallError
        machine.isSynchronised = the.synchronisedAfter
        let after = StoreClock(clock: machine, last: last, newest: 0)

        #expect(after.now == last.storeMilliseconds + the.counted)
    }

    /// A crash leaves only what was written of the run; what is on disk shows that more time passed.
    @Test func timeNeverFallsBehindWhatIsOnDisk() {
        let machine = VirtualClock(isSynchronised: false)
        let last = RunRecord(
            ordinal: 1, epoch: 1, bootID: "gone", bootMilliseconds: 0, storeMilliseconds: 1000, wallOffset: 0,
            clockSet: false, synchronised: false, endedCleanly: false)

        #expect(StoreClock(clock: machine, last: last, newest: 500_000).now == 500_000)
    }

    /// What the clock says is believed as far as it was believed before.
    @Test func aDateOnceKnownStaysKnown() {
        let machine = VirtualClock(wallMilliseconds: 5000, isSynchronised: false)
        let clock = StoreClock(clock: machine, last: nil, newest: 0)
        #expect(!clock.isSet)
        let start = clock.now
        machine.wallMilliseconds = 1_767_225_600_000
        machine.isSynchronised = true
        #expect(clock.isSet && clock.isSynchronised)
        let offset = clock.wallOffset

        machine.advance(by: .seconds(10))
        machine.wallMilliseconds = 0
        machine.isSynchronised = false
        #expect(clock.wallOffset == offset && clock.isSet)
        machine.wallMilliseconds = 1_767_225_600_000 + 30 * Self.year
        #expect(clock.wallOffset == offset)
        machine.isSynchronised = true
        #expect(clock.wallOffset == offset + 30 * Self.year - 10_000)
        #expect(clock.now == start + 10_000)
    }
}
