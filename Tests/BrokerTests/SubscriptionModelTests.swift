import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// The tree, the cache and the retained store against the plainest model there is: every filter asked about every topic.
struct SubscriptionModelTests {
    private static let words = ["", "a", "b", "ab", "$x", "+", "#"]

    private func topic(_ random: inout Random) -> String {
        (0...random.below(4)).map { _ in Self.words[random.below(5)] }.joined(separator: "/")
    }

    private func filter(_ random: inout Random) -> String {
        var levels = (0...random.below(4)).map { _ in Self.words[random.below(6)] }
        if random.below(3) == 0 { levels.append("#") }
        // [MQTT-4.7.3-1]: an empty one would end the connection.
        return levels == [""] ? "a" : levels.joined(separator: "/")
    }

    /// MQTT 5 §4.7, word for word.
    private func matches(_ filter: String, _ topic: String) -> Bool {
        if topic.hasPrefix("$"), filter.hasPrefix("+") || filter.hasPrefix("#") { return false }
        var filter = filter.split(separator: "/", omittingEmptySubsequences: false)[...]
        var topic = topic.split(separator: "/", omittingEmptySubsequences: false)[...]
        while let level = filter.popFirst() {
            if level == "#" { return true }
            guard let name = topic.popFirst(), level == "+" || level == name else { return false }
        }
        return topic.isEmpty
    }

    @Test(arguments: UInt64(1)...20) func treeAgreesWithTheModel(seed: UInt64) throws {
        var random = Random(seed: seed)
        let node = try Node()
        let sessions = (0..<8).map { Session(clientIdentifier: [UInt8("0") + UInt8($0)], broker: node.broker) }
        let tree = SubscriptionTree()
        var model: [String: Set<Int>] = [:]
        for _ in 0..<400 {
            let index = random.below(sessions.count)
            let known = model.keys.sorted()
            let filter = random.below(2) == 0 && !known.isEmpty ? known[random.below(known.count)] : filter(&random)
            let bytes = [UInt8](filter.utf8)
            if random.below(5) < 3 {
                tree.insert(
                    bytes, session: sessions[index],
                    subscription: SubscriptionState(
                        filter: bytes, qos: .atMostOnce, noLocal: false, retainAsPublished: false, identifier: 0))
                model[filter, default: []].insert(index)
            } else {
                tree.remove(bytes, session: sessions[index])
                model[filter]?.remove(index)
            }
            #expect(tree.count == model.values.reduce(0) { $0 + $1.count })

            let topic = topic(&random)
            var found: [String] = []
            [UInt8](topic.utf8).withUnsafeBytes {
                tree.match($0) { interest in
                    let index = sessions.firstIndex { ObjectIdentifier($0) == interest.subscriber.identity } ?? -1
                    found.append("\(index) \(String(decoding: interest.subscription.filter, as: UTF8.self))")
                }
            }
            let expected = model.filter { matches($0.key, topic) }.flatMap { filter, indices in
                indices.map { "\($0) \(filter)" }
            }
            #expect(found.sorted() == expected.sorted(), "topic \(topic)")
        }
    }

    @Test(arguments: UInt64(1)...20) func retainedStoreAgreesWithTheModel(seed: UInt64) throws {
        var random = Random(seed: seed)
        let retained = RetainedMessages()
        let meter = MemoryMeter()
        var model: Set<String> = []
        for _ in 0..<300 {
            let topic = topic(&random)
            [UInt8](topic.utf8).withUnsafeBytes { bytes in
                if random.below(3) > 0 {
                    let view = PublishView(topic: bytes, payload: bytes)
                    retained.set(bytes, Message(view, laneSequence: 0, receivedAt: 0, meter: meter))
                    model.insert(topic)
                } else {
                    retained.set(bytes, nil)
                    model.remove(topic)
                }
                #expect(retained.contains(bytes) == model.contains(topic))
            }
            #expect(retained.count == model.count)

            let filter = filter(&random)
            var found: [String] = []
            retained.match([UInt8](filter.utf8)) { found.append(String(decoding: $0.topic, as: UTF8.self)) }
            #expect(found.sorted() == model.filter { matches(filter, $0) }.sorted(), "filter \(filter)")
        }
        for topic in model { [UInt8](topic.utf8).withUnsafeBytes { retained.set($0, nil) } }
        #expect(retained.count == 0 && retained.bytes == 0 && meter.bytes == 0)
    }

    @Test(arguments: UInt64(1)...10) func cacheAgreesWithADictionary(seed: UInt64) {
        var random = Random(seed: seed)
        var cache = DestinationCache()
        var model: [String: Destinations] = [:]
        var generation: UInt64 = 0
        for _ in 0..<20_000 {
            if random.below(8000) == 0 {
                generation += 1
                model = [:]
            }
            let topic = "t/\(random.below(6000))"
            [UInt8](topic.utf8).withUnsafeBytes { bytes in
                let hash = cache.hash(bytes)
                let found = cache.find(bytes, hash: hash, generation: generation)
                #expect(found === model[topic])
                if found == nil {
                    let destinations = Destinations()
                    cache.insert(bytes, hash: hash, destinations)
                    model[topic] = destinations
                }
            }
        }
    }

    /// Clients that come, go, subscribe and publish: who gets what, with the cache in between.
    @Test(arguments: UInt64(1)...10) func deliveriesAgreeWithTheModel(seed: UInt64) throws {
        var random = Random(seed: seed)
        let node = try Node()
        let publisher = try node.client("publisher")
        var clients: [String: (client: TestClient, filters: [String: QoS])] = [:]
        for _ in 0..<150 {
            let name = "c\(random.below(5))"
            switch random.below(6) {
            case 0:
                clients[name] = (
                    try node.client(name, expiry: random.below(2) == 0 ? 3600 : nil, acknowledges: true), [:]
                )
            case 1, 2:
                let filter = filter(&random)
                let qos = QoS(rawValue: UInt8(random.below(3))) ?? .atMostOnce
                clients[name]?.client.subscribed(filter, qos)
                clients[name]?.filters[filter] = qos
            case 3:
                guard let filter = clients[name]?.filters.keys.sorted().first else { break }
                clients[name]?.client.unsubscribe(filter)
                clients[name]?.filters[filter] = nil
            default:
                let topic = topic(&random)
                guard !topic.isEmpty, !topic.hasPrefix("$") else { break }
                let qos = QoS(rawValue: UInt8(random.below(3))) ?? .atMostOnce
                publisher.forget()
                publisher.publish(topic, "m", qos, identifier: 1)
                node.advance(by: .milliseconds(21))
                if qos == .exactlyOnce {
                    #expect(publisher.takeAcknowledgements().map(\.type) == [.pubrec])
                    publisher.acknowledge(.pubrel, 1)
                }
                node.run()
                for (name, entry) in clients {
                    let granted = entry.filters.filter { matches($0.key, topic) }.values.max()
                    let expected = granted.map { ["\(topic)=m/\(min($0, qos).rawValue)"] } ?? []
                    #expect(
                        entry.client.takeMessages() == expected,
                        "\(name) \(entry.filters), log: \(node.lines.suffix(4)), \(node.broker.figures)")
                }
            }
            for entry in clients.values { entry.client.forget() }
        }
    }
}

extension UInt8 {
    fileprivate init(_ character: Unicode.Scalar) { self.init(ascii: character) }
}
