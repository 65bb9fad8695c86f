import Broker
import Client
import EventLoop
import MQTT
import Store
import Testing

@testable import Uplink

/// A broker on virtual time with a store that commits at each step.
private final class Node {
    let engine = SteppedEngine()
    let log: Log
    let broker: Broker
    private var listener: (any Listener)?

    init(_ name: String, loop: EventLoop, network: MemoryNetwork, epoch: UInt64) throws {
        log = Log(loop: loop, engine: engine, options: LogOptions(), state: StoredState(), epoch: epoch)
        engine.log = log
        broker = Broker(log: log, state: StoredState())
        let broker = broker
        listener = try network.listen(.tcp(host: name, port: 1883)) { stream in
            broker.accept(stream, listener: ListenerOptions(anonymous: .always))
        }
    }
}

/// A client that notes what it hears.
private final class Listening: MQTTClientDelegate {
    let client: MQTTClient
    private(set) var received: [Inner] = []
    private(set) var acknowledged: [ReasonCode] = []
    private let filter: String?

    init(_ identifier: String, at host: String, subscribing filter: String?, loop: EventLoop, network: MemoryNetwork) {
        var options = MQTTClient.Options()
        options.clientIdentifier = Array(identifier.utf8)
        client = MQTTClient(loop: loop, network: network, options: options)
        self.filter = filter
        client.delegate = self
        client.connect(to: .tcp(host: host, port: 1883))
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        if let filter { _ = client.subscribe([Subscription(filter: Array(filter.utf8), qos: .atLeastOnce)]) }
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) { received.append(Inner(publish)) }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        acknowledged.append(reason)
    }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {}
}

/// An edge and a cloud, both real brokers, and clients at both ends.
@Suite struct TwoBrokersTests {
    private let clock = VirtualClock()
    private let loop: EventLoop
    private let network: MemoryNetwork
    private let edge: Node
    private let cloud: Node
    private let ingest: Ingest
    private let uplink: Uplink

    init() throws {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
        edge = try Node("edge", loop: loop, network: network, epoch: 0xE)
        cloud = try Node("cloud", loop: loop, network: network, epoch: 0xC)
        let cloudLog = cloud.log
        ingest = try Ingest(
            options: IngestOptions(node: "cloud", topic: "{node}/{topic}"), sink: cloud.broker, stored: [],
            storeTime: { cloudLog.clock.now })
        cloud.broker.receiver = ingest
        let queue = RouteQueue(
            name: "cloud/plant", evictionClass: .normal, storesQoS0: true, ttl: nil, budgetBytes: nil, log: edge.log,
            state: StoredState())
        edge.broker.add(Route(uplink: "cloud", filter: Array("plant/#".utf8), queue: queue))
        let edgeLog = edge.log
        uplink = try Uplink(
            options: UplinkOptions(
                name: "cloud", node: "pump-7", urls: ["mqtt://cloud"], clientIdentifier: "pump-7-cloud",
                routes: [RouteOptions(name: "plant")], subscriptions: [SubscribeOptions(filter: "cmd/pump-7/#")]),
            loop: loop, network: network, queues: [queue], sink: edge.broker, storeTime: { edgeLog.clock.now },
            random: { 0 })
    }

    private func pass(_ duration: Duration) {
        let end = clock.now + duration
        repeat {
            clock.advance(to: min(clock.now + .milliseconds(20), end))
            for _ in 0..<10 {
                loop.tick(wait: .zero)
                edge.engine.step()
                cloud.engine.step()
            }
        } while clock.now < end
    }

    private func client(_ name: String, at host: String, subscribing filter: String? = nil) -> Listening {
        Listening(name, at: host, subscribing: filter, loop: loop, network: network)
    }

    @Test func whatASensorPublishesArrivesInTheCloud() throws {
        let sensor = client("sensor", at: "edge")
        let dashboard = client("dashboard", at: "cloud", subscribing: "#")
        uplink.start()
        pass(.zero)

        for number in 1...20 {
            _ = sensor.client.publish(topic: "plant/7", payload: Array("\(number)".utf8), qos: .atLeastOnce)
        }
        pass(.milliseconds(40))

        #expect(sensor.acknowledged == Array(repeating: .success, count: 20))
        #expect(dashboard.received.map(\.payload) == (1...20).map { "\($0)" })
        #expect(dashboard.received.first?.topic == "pump-7/plant/7")
        #expect(dashboard.received.first?.user.last == "via=pump-7")
        #expect(edge.engine.groups.allSatisfy { $0.segments.isEmpty }, "a healthy link means no write")
    }

    /// The receiving broker announces aliases and resolves them before it looks whether the topic is a batch's.
    @Test func aBatchAfterTheFirstGoesWithoutItsTopic() throws {
        let sensor = client("sensor", at: "edge")
        let dashboard = client("dashboard", at: "cloud", subscribing: "#")
        uplink.start()
        for connection in 0..<3 {
            pass(.seconds(1))
            #expect(uplink.client.server?.topicAliasMaximum == 10)
            var sizes: [UInt64] = []
            for number in 1...4 {
                let before = uplink.figures.sentBytes
                _ = sensor.client.publish(
                    topic: "plant/7", payload: Array("\(connection)\(number)".utf8), qos: .atLeastOnce)
                pass(.seconds(2))
                sizes.append(uplink.figures.sentBytes - before)
            }
            #expect(sizes[0] > sizes[1] + 15)
            #expect(sizes[1] == sizes[3])
            uplink.pause()
            uplink.resume()
        }

        #expect(ingest.figures.batches == 12)
        #expect(dashboard.received.count == 12)
    }

    @Test func whatWasPublishedDuringACutArrivesAfterIt() throws {
        let sensor = client("sensor", at: "edge")
        let dashboard = client("dashboard", at: "cloud", subscribing: "pump-7/#")
        uplink.start()
        pass(.zero)
        uplink.pause()
        pass(.milliseconds(100))
        for number in 1...500 {
            _ = sensor.client.publish(
                topic: "plant/7", payload: Array("\(number)".utf8), qos: number % 3 == 0 ? .atMostOnce : .atLeastOnce)
            if number % 50 == 0 { pass(.milliseconds(100)) }
        }
        pass(.seconds(2))
        #expect(dashboard.received.isEmpty)
        #expect(sensor.acknowledged.count == 334)

        uplink.resume()
        pass(.seconds(2))

        #expect(dashboard.received.map(\.payload) == (1...500).map { "\($0)" })
    }

    @Test func commandsComeDownAndAreNotSentBack() throws {
        let device = client("device", at: "edge", subscribing: "#")
        let operatorClient = client("operator", at: "cloud")
        uplink.start()
        pass(.zero)

        _ = operatorClient.client.publish(topic: "cmd/pump-7/set", payload: Array("on".utf8), qos: .atLeastOnce)
        pass(.seconds(2))

        #expect(device.received.map(\.payload) == ["on"])
        #expect(operatorClient.acknowledged == [.success])
        #expect(uplink.figures.sentMessages == 0)
    }

    @Test func aCloudWithoutAReceiverHoldsTheRoute() throws {
        cloud.broker.receiver = nil
        let sensor = client("sensor", at: "edge")
        uplink.start()
        pass(.zero)
        _ = sensor.client.publish(topic: "plant/7", payload: [1], qos: .atLeastOnce)
        pass(.seconds(2))

        #expect(uplink.state == .noReceiver)
        #expect(sensor.acknowledged == [.success], "it is on the edge's disk")

        cloud.broker.receiver = ingest
        pass(.seconds(10))
        #expect(uplink.state == .connected)
        #expect(ingest.figures.messages == 1)
    }
}
