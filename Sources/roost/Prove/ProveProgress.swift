import EventLoop
import Glibc

/// What is seen while it goes on: one line that is written over on a terminal, elsewhere a line for each act.
final class ProveProgress {
    private let isQuiet: Bool
    private let isTerminal: Bool
    private var last: Prove.Phase?
    private var turns = 0
    private var isShown = false

    init(isQuiet: Bool) {
        self.isQuiet = isQuiet
        isTerminal = isatty(STDERR_FILENO) == 1
    }

    /// Called at every turn.
    func show(_ prove: Prove) {
        turns += 1
        if isTerminal {
            guard turns % 5 == 0 else { return }
            isShown = true
            let columns = Screen.size.columns
            let line = String("\(Self.title(prove.phase))  \(Self.figures(prove))".prefix(max(20, columns - 1)))
            Terminal.write(Array("\r\(line)\u{1B}[K".utf8), to: STDERR_FILENO)
        } else if !isQuiet, prove.phase != last {
            Terminal.say("\(Self.title(prove.phase)) ...")
        }
        last = prove.phase
    }

    /// Takes the line away.
    func close() {
        if isShown { Terminal.write(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO) }
    }

    private static func title(_ phase: Prove.Phase) -> String {
        switch phase {
        case .starting: "Starting a node and a cloud"
        case .linkUp: "A steady load, the link up"
        case .linkDown: "A steady load, the link cut"
        case .synced: "Looking whether all of it is on the disk"
        case .faults: "Kills and cut links under full load"
        case .full: "A full disk"
        case .settling: "Waiting for what is on its way"
        case .stopping: "Stopping"
        }
    }

    private static func figures(_ prove: Prove) -> String {
        let totals = prove.ledger.totals
        let time = Quantities.duration(seconds: (prove.loop.now - prove.begun).seconds.rounded(.down))
        return
            "\(time) of \(Quantities.duration(seconds: (prove.choices.minutes * 60).rounded())); acknowledged "
            + "\(Quantities.count(Int64(totals.acknowledged))), to come \(Quantities.count(Int64(totals.cloud.missing))), "
            + "kills \(prove.faults.kills), cuts \(prove.faults.cuts)"
    }
}
