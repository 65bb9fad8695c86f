import Broker
import MQTT
import Store
import Testing

@testable import Uplink

/// Nodes that exchange topics: each has an uplink to the next one's listener, and `[ingest]`.
@Suite struct SyncTests {
    private let folder = Folder()
    private let site = Site()

    private func node(_ name: String, to peers: String...) throws -> ReceivingNode {
        try ReceivingNode(name, in: site, directory: folder.path, peers: peers)
    }

    private func publish(_ client: NotingClient, _ topic: String, _ payload: String) {
        _ = client.client.publish(topic: topic, payload: Array(payload.utf8), qos: .atLeastOnce)
    }

    @Test func twoNodesConvergeAfterAPartition() throws {
        let left = try node("left", to: "right")
        let right = try node("right", to: "left")
        let clients = ["left", "right"].map { site.client("client", at: $0, subscribing: "sync/#") }
        site.pass(.seconds(5))
        publish(clients[0], "sync/left", "before")
        site.pass(.seconds(2))
        #expect(clients.map { $0.received.map(\.payload) } == [["before"], ["before"]])

        for uplink in left.uplinks + right.uplinks { uplink.pause() }
        for number in 1...50 {
            publish(clients[0], "sync/left", "l\(number)")
            publish(clients[1], "sync/right", "r\(number)")
            site.pass(.milliseconds(200))
        }
        #expect(clients[0].received.count == 51)
        for uplink in left.uplinks + right.uplinks { uplink.resume() }
        site.pass(.seconds(20))

        for client in clients {
            let heard = client.received
            #expect(heard.count == 101)
            #expect(heard.filter { $0.topic == "sync/left" }.map(\.payload) == ["before"] + (1...50).map { "l\($0)" })
            #expect(heard.filter { $0.topic == "sync/right" }.map(\.payload) == (1...50).map { "r\($0)" })
        }
        #expect((left.queues + right.queues).map(\.messages) == [0, 0], "and it ends there")
        #expect(left.ingest.figures.messages == 50)
        #expect(left.ingest.figures.loops == 51, "what comes back is known by its via")
    }

    @Test func aRingOfThreeCarriesEachMessageRoundOnce() throws {
        let nodes = [try node("a", to: "b"), try node("b", to: "c"), try node("c", to: "a")]
        let clients = nodes.map { site.client("client", at: $0.name, subscribing: "sync/#") }
        site.pass(.seconds(5))

        nodes[1].uplinks[0].pause()
        for number in 1...20 {
            for client in clients { publish(client, "sync/x", "\(number)") }
            site.pass(.milliseconds(100))
        }
        nodes[1].uplinks[0].resume()
        site.pass(.seconds(30))

        for client in clients { #expect(client.received.count == 60) }
        #expect(nodes.flatMap(\.queues).map(\.messages) == [0, 0, 0])
        #expect(nodes.map(\.ingest.figures.messages) == [40, 40, 40])
        #expect(nodes.map(\.ingest.figures.loops) == [20, 20, 20], "each hears its own once, and lets it go")
    }

    @Test func bothWaysRoundAMessageStillComesOnceForEachWay() throws {
        // a reaches c directly and through b: two routes, two numberings, so c can't tell that it is the same message.
        let nodes = [try node("a", to: "b", "c"), try node("b", to: "c"), try node("c")]
        let client = site.client("client", at: "c", subscribing: "sync/#")
        let publisher = site.client("publisher", at: "a")
        site.pass(.seconds(5))

        publish(publisher, "sync/x", "1")
        site.pass(.seconds(10))

        #expect(client.received.count == 2)
        #expect(nodes.flatMap(\.queues).map(\.messages) == [0, 0, 0])
    }
}
