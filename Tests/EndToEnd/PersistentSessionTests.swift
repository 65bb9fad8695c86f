import Glibc
import Testing

extension EndToEndTests {
    /// Promise 1, 2 and 5: what was acknowledged is safe, from SIGKILL and from SIGTERM, and a persistent session gets it
    /// once.
    @Suite struct PersistentSessionTests {
        @Test(arguments: [SIGKILL, SIGTERM])
        func aPersistentSessionLosesNothing(signal: Int32) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            let subscriber = LoadSubscriber(scenario, to: roostd)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }
            var publishers = (0..<4).map { LoadPublisher(scenario, $0, count: 5000, to: roostd.endpoint) }
            let killer = Killer(roostd, in: scenario, times: 10, signal: signal)
            let total = publishers.reduce(0) { $0 + $1.count }
            scenario.drop(subscriber, every: total / 25)

            try scenario.wait("20,000 acknowledged messages over 10 kills", for: .seconds(300)) {
                try killer.step(Double(publishers.reduce(0) { $0 + $1.acknowledgedCount }) / Double(total))
                return killer.isDone && publishers.allSatisfy(\.isDone)
            }
            publishers.append(LoadPublisher(scenario, publishers.count, count: 12, to: roostd.endpoint))
            try scenario.waitForAll(of: publishers, at: subscriber)

            let ledger = Ledger(publishers, subscriber)
            scenario.note(ledger.summary)
            try scenario.require(ledger.isKept, ledger.summary)
            #expect(killer.kills == 10)
            #expect(try roostd.stop() == 0)
        }
    }
}
