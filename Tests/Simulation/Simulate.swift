import Glibc

/// The command behind `make simulate`: runs seeds, and shows a failing one as short as it can be made.
public struct Simulate {
    private var seeds = 1000
    private var first = 1
    private var single: UInt64?
    /// Also what the disks and the network do.
    private var isDetailed = false
    private var shrinks = true
    private var stopsAtFailure = false

    /// Exit code 0: every promise was kept; 1: not; 2: usage.
    public static func main(_ arguments: [String]) -> Int32 {
        var command = Simulate()
        guard command.read(arguments) else {
            print("simulate [--seeds N] [--first N] [--seed N [--detail]] [--no-shrink] [--first-failure]")
            return 2
        }
        if let seed = command.single { return command.replay(seed) }
        return command.runAll()
    }

    private mutating func read(_ arguments: [String]) -> Bool {
        var rest = arguments[...]
        while let word = rest.popFirst() {
            switch word {
            case "--detail": isDetailed = true
            case "--no-shrink": shrinks = false
            case "--first-failure": stopsAtFailure = true
            default:
                guard let text = rest.popFirst(), let value = Int(text), value > 0 else { return false }
                switch word {
                case "--seeds": seeds = value
                case "--first": first = value
                case "--seed": single = UInt64(value)
                default: return false
                }
            }
        }
        return true
    }

    private func runAll() -> Int32 {
        var failed: [(schedule: Schedule, violation: Violation)] = []
        var kinds: [Scenario.Kind: Int] = [:]
        var tally = Tally.Sum()
        var progress = Progress(seeds: seeds)
        for seed in first..<first + seeds {
            CurrentSeed.note(UInt64(seed))
            let schedule = Schedule(seed: UInt64(seed))
            kinds[schedule.scenario.kind, default: 0] += 1
            let world = World(schedule)
            if let violation = world.run() {
                failed.append((schedule, violation))
                print("seed \(seed) (\(schedule.scenario.kind.rawValue)): \(violation)")
                fflush(nil)
                if stopsAtFailure { return 1 }
            }
            tally.add(world.tally)
            progress.seedIsDone(failed: failed.count)
        }
        print(tally.description)
        let text = Scenario.Kind.allCases.map { "\($0.rawValue) \(kinds[$0] ?? 0)" }.joined(separator: ", ")
        print("\(seeds) seeds (\(text)): \(failed.count) failed, \(progress.rate)")
        if let worst = failed.first, shrinks { show(worst.schedule, worst.violation) }
        return failed.isEmpty ? 0 : 1
    }

    private func show(_ schedule: Schedule, _ violation: Violation) {
        var shrinker = Shrinker(schedule, violation)
        let short = shrinker.shrink()
        let world = World(short, keepsTrace: true, isDetailed: isDetailed)
        let found = world.run()
        print("seed \(schedule.seed), \(short.steps.count) of \(schedule.steps.count) steps, \(short.scenario):")
        for line in world.trace.lines ?? [] { print(line) }
        print(found.map { "\($0)" } ?? "it can't be repeated")
    }

    private func replay(_ seed: UInt64) -> Int32 {
        CurrentSeed.note(seed)
        let schedule = Schedule(seed: seed)
        let world = World(schedule, keepsTrace: true, isDetailed: isDetailed)
        let violation = world.run()
        if let violation, shrinks {
            show(schedule, violation)
        } else {
            print("seed \(seed), \(schedule.scenario):")
            for line in world.trace.lines ?? [] { print(line) }
        }
        let verdict = violation.map { "\($0)" } ?? "every promise was kept"
        print("seed \(seed): \(verdict); trace \(String(world.trace.hash, radix: 16))")
        return violation == nil ? 0 : 1
    }
}

/// Names the seed when the code under test traps, which no process survives to tell.
enum CurrentSeed {
    nonisolated(unsafe) private static var digits = [UInt8](repeating: 0, count: 20)
    nonisolated(unsafe) private static var count = 0
    nonisolated(unsafe) private static var isWatching = false

    static func note(_ seed: UInt64) {
        let text = Array("\(seed)\n".utf8)
        count = min(text.count, digits.count)
        for index in 0..<count { digits[index] = text[index] }
        guard !isWatching else { return }
        isWatching = true
        for number in [SIGILL, SIGTRAP, SIGSEGV] {
            signal(number) { _ in
                let text: StaticString = "crashed at seed "
                _ = write(2, text.utf8Start, text.utf8CodeUnitCount)
                _ = CurrentSeed.digits.withUnsafeBytes { write(2, $0.baseAddress, CurrentSeed.count) }
                _exit(1)
            }
        }
    }
}
