import Simulation
import Testing

struct SimulationTests {
    @Test func aSeedReplaysExactly() {
        for seed in UInt64(1)...5 {
            let first = World(Schedule(seed: seed))
            _ = first.run()
            let second = World(Schedule(seed: seed))
            _ = second.run()
            #expect(first.trace.hash == second.trace.hash, "seed \(seed)")
        }
    }
}
