/// The command: `simulate [--seeds N] [--first N] [--seed N]`.
public enum Simulate {
    public static func main(_ arguments: [String]) {
        var seeds = 1000
        var first = 1
        var single: UInt64?
        var withDisks = false
        var rest = arguments[...]
        while let word = rest.popFirst() {
            let value = rest.popFirst() ?? ""
            switch word {
            case "--seeds": seeds = Int(value) ?? seeds
            case "--first": first = Int(value) ?? first
            case "--seed": single = UInt64(value)
            case "--disks": withDisks = value == "yes"
            default: print("simulate: what is \(word)?")
            }
        }
        if let single { return replay(single, withDisks) }
        var failed = 0
        for seed in first..<first + seeds {
            let world = World(Schedule(seed: UInt64(seed)))
            if let violation = world.run() {
                failed += 1
                print("seed \(seed) (\(world.scenario.kind.rawValue)): \(violation)")
            }
        }
        print("\(seeds) seeds, \(failed) failed")
    }

    static func replay(_ seed: UInt64, _ withDisks: Bool) {
        let world = World(Schedule(seed: seed), keepsTrace: true, withDisks: withDisks)
        let violation = world.run()
        for line in world.trace.lines ?? [] { print(line) }
        print(
            "seed \(seed): \(violation?.description ?? "all promises kept"), trace \(String(world.trace.hash, radix: 16))"
        )
    }
}
