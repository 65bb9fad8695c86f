import Store

/// The store's writer as steps of the agenda: a job takes its time, then happens at once, and its reports go to the loop
/// through the mailbox, as the daemon's do.
final class SteppedWriter: StoreEngine {
    /// Between two attempts on a failing disk, as `StoreWriter` waits.
    private static let backoff: Int64 = 1_000_000_000

    private let step: StoreStep
    private let tap: StoreTap
    private unowned let process: RoostProcess
    /// When the next step is planned; nil: none is.
    private var planned: Int64?

    init(_ step: StoreStep, _ tap: StoreTap, _ process: RoostProcess) {
        self.step = step
        self.tap = tap
        self.process = process
    }

    var isFailing: Bool { step.isFailing }
    var isIdle: Bool { planned == nil }

    func submit(_ job: StoreJob) {
        if case .commit(let group) = job { tap.submit(group) }
        step.submit(job)
        // On a failing disk only reads don't wait for the next attempt.
        if step.isFailing, planned != nil {
            guard case .read = job else { return }
        }
        plan(after: process.machine.writerDelay())
    }

    private func plan(after delay: Int64) {
        let time = process.machine.world.now + delay
        if let planned, planned <= time { return }
        planned = time
        process.machine.world.plan(at: time) { [weak self, weak process] in
            guard let self, let process, process.isAlive, planned == time else { return }
            planned = nil
            turn()
        }
    }

    private func turn() {
        let machine = process.machine
        let syncs = machine.disk.syncs
        let hadWork = step.step()
        if machine.disk.syncs != syncs {
            machine.world.trace.note("\(machine.name): \(machine.disk.syncs - syncs) syncs")
        }
        guard process.isAlive else { return }
        if step.isFailing {
            plan(after: Self.backoff)
        } else if hadWork {
            plan(after: machine.writerDelay())
        }
    }
}
