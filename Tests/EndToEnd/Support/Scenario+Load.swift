import EventLoop

extension Scenario {
    /// A session `keeper` that wants everything and is away from now on, so that everything has to be kept.
    func leaveKeeper(of roostd: Roostd) throws {
        let keeper = LoadSubscriber(self, name: "keeper", to: roostd.endpoint)
        try wait("SUBACK") { keeper.isSubscribed }
        keeper.drop(for: .seconds(86_400))
    }

    /// Cuts the subscriber's connection after every so many messages, give or take, for up to 200 ms.
    func drop(_ subscriber: LoadSubscriber, every messages: Int) {
        var next = messages
        subscriber.onReceive = { [unowned subscriber, unowned self] in
            guard subscriber.received >= next else { return }
            next = subscriber.received + Int.random(in: 1...2 * messages, using: &random)
            let pause = Int.random(in: 0...200, using: &random)
            loop.schedule(after: .zero) { [weak subscriber] in subscriber?.drop(for: .milliseconds(pause)) }
        }
    }

    /// Waits until the subscriber has every message of every publisher. Where the last publisher came behind all others,
    /// nothing of theirs, no copy either, is to come once its messages are there.
    func waitForAll(of publishers: [LoadPublisher], at subscriber: LoadSubscriber) throws {
        let total = publishers.reduce(0) { $0 + $1.count }
        do {
            try wait("all messages to arrive", for: .seconds(60)) { subscriber.uniqueCount >= total }
        } catch {
            let states = publishers.map(\.state) + [subscriber.state]
            throw failure(
                "not all arrived: \(Ledger(publishers, subscriber).summary)\n\(states.joined(separator: "\n"))")
        }
    }
}
