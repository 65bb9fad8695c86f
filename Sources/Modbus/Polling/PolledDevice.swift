import EventLoop

/// What a poller knows of a device.
package final class PolledDevice {
    package struct Options {
        package var name: String
        package var unit: UInt8
        package var points: [Point]
        package var limits = ReadPlan.Limits()
        /// Further tries of a request without an answer.
        package var retries = 1
        /// A silent device is asked again after this time, doubling up to `backoffMaximum`.
        package var backoffMinimum: Duration = .seconds(1)
        package var backoffMaximum: Duration = .seconds(60)
        /// Single values by functions 15 and 16 too, for devices that lack 5 and 6.
        package var writesMultiple = false
        /// A bit of a register is written by reading and writing the register, where the device lacks function 22.
        package var readsModifiesWrites = false

        package init(name: String, unit: UInt8, points: [Point]) {
            self.name = name
            self.unit = unit
            self.points = points
        }
    }

    package enum State: String, Sendable {
        case unknown
        /// Everything that was asked for is answered.
        case online
        /// It doesn't answer, or there is no connection.
        case offline
        /// It answers, and not to everything.
        case unhealthy
    }

    /// One request of the plan, again and again.
    final class Block {
        let device: PolledDevice
        let plan: ReadPlan.Block
        /// When it falls due next.
        var next = Instant(nanoseconds: 0)
        /// When what is queued or under way fell due.
        var due = Instant(nanoseconds: 0)
        var timer = Timer.none
        var isQueued = false
        var isUnderWay = false
        /// It fell due while it could not be asked.
        var isMissed = false
        var tries = 0
        /// Without an answer in a row, in full (with retries).
        var silences = 0
        var notBefore = Instant(nanoseconds: 0)
        var isFailing = false

        init(_ device: PolledDevice, _ plan: ReadPlan.Block) {
            self.device = device
            self.plan = plan
        }
    }

    package let index: Int
    package let options: Options
    package internal(set) var state = State.unknown
    /// Why it is offline.
    package internal(set) var problem = ""

    var blocks: [Block] = []
    /// Failures without any answer between them.
    var doubts = 0
    var isSilent = false
    var probes = 0
    var probeTimer = Timer.none
    var writesMultiple: Bool

    init(_ index: Int, _ options: Options) {
        self.index = index
        self.options = options
        writesMultiple = options.writesMultiple
        blocks = ReadPlan.blocks(options.points, options.limits).map { Block(self, $0) }
    }

    /// The requests that its points take now.
    package var plan: [ReadPlan.Block] { blocks.map(\.plan) }

    func backoff(_ failures: Int) -> Duration {
        min(options.backoffMinimum * (1 << min(max(failures - 1, 0), 20)), options.backoffMaximum)
    }
}
