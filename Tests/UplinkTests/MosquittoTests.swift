import Client
import EventLoop
import Glibc
import MQTT
import Store
import Testing

@testable import Uplink

/// mosquitto as the upstream, over real sockets.
@Suite(.serialized) struct MosquittoTests {
    static let isInstalled = access("/usr/sbin/mosquitto", X_OK) == 0

    /// A mosquitto of our own, ended with the test.
    private final class Mosquitto {
        let port: UInt16
        private var process: pid_t = 0

        init(_ configuration: String = "") throws {
            port = UInt16(20_000 + UInt16(getpid() % 20_000))
            let path = "/tmp/roost-mosquitto-\(port).conf"
            let file = try #require(fopen(path, "w"))
            fputs("listener \(port) 127.0.0.1\nallow_anonymous true\nlog_dest none\n" + configuration, file)
            fclose(file)
            var arguments: [UnsafeMutablePointer<CChar>?] = ["mosquitto", "-c", path].map { (text: String) in
                strdup(text)
            }
            arguments.append(nil)
            defer { for argument in arguments { free(argument) } }
            #expect(posix_spawn(&process, "/usr/sbin/mosquitto", nil, nil, arguments, environ) == 0)
        }

        deinit {
            // Threads of the tests may have SIGTERM blocked, which a child inherits.
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
            unlink("/tmp/roost-mosquitto-\(port).conf")
        }
    }

    private final class Receiver: MQTTClientDelegate {
        private(set) var payloads: [[UInt8]] = []
        private(set) var topics: [String] = []
        private(set) var isSubscribed = false
        func client(_ client: MQTTClient, didConnect connack: Connack) {
            _ = client.subscribe([Subscription(filter: Array("#".utf8), qos: .atLeastOnce)])
        }
        func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
            isSubscribed = true
        }
        func client(_ client: MQTTClient, didReceive publish: PublishView) {
            payloads.append([UInt8](publish.payload))
            topics.append(String(decoding: publish.topic, as: UTF8.self))
        }
        func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {}
        func client(_ client: MQTTClient, didClose error: MQTTClientError) {}
    }

    /// A node with one uplink to it.
    private final class Node {
        let loop: EventLoop
        let network: SocketNetwork
        let engine = SteppedEngine()
        let log: Log
        let queue: RouteQueue
        let sink = CollectingSink()
        let uplink: Uplink

        init(port: UInt16, mode: RouteOptions.Mode, version: ProtocolVersion) throws {
            loop = try EventLoop()
            network = SocketNetwork(loop: loop)
            log = Log(loop: loop, engine: engine, options: LogOptions(), state: StoredState(), epoch: 7)
            engine.log = log
            queue = RouteQueue(
                name: "cloud/plant", evictionClass: .normal, storesQoS0: true, ttl: nil, budgetBytes: nil, log: log,
                state: StoredState())
            let log = log
            uplink = try Uplink(
                options: UplinkOptions(
                    name: "cloud", node: "pump-7", urls: ["mqtt://127.0.0.1:\(port)"], clientIdentifier: "pump-7-cloud",
                    version: version, reconnectMin: .milliseconds(100),
                    routes: [RouteOptions(name: "plant", mode: mode, batchDelay: .milliseconds(50))],
                    subscriptions: [SubscribeOptions(filter: "cmd/#")]),
                loop: loop, network: network, queues: [queue], sink: sink, storeTime: { log.clock.now })
        }

        func publish(_ payload: String, topic: String = "plant/7") {
            Array(payload.utf8).withUnsafeBytes { payload in
                Array(topic.utf8).withUnsafeBytes { topic in
                    let message = Message(
                        PublishView(topic: topic, payload: payload, qos: .atLeastOnce),
                        laneSequence: log.takeLaneSequence(), receivedAt: log.clock.now, meter: log.meter)
                    log.append(message, to: [queue.stream], waiter: nil)
                }
            }
        }

        /// Turns until it holds, 20 s at most.
        func wait(_ holds: () -> Bool) -> Bool {
            let deadline = loop.clock.now + .seconds(20)
            while loop.clock.now < deadline {
                if holds() { return true }
                loop.tick(wait: .milliseconds(20))
                engine.step()
            }
            return holds()
        }
    }

    @Test(.enabled(if: isInstalled), arguments: [RouteOptions.Mode.batch, .each], [ProtocolVersion.v5, .v311])
    func messagesPassThroughMosquitto(mode: RouteOptions.Mode, version: ProtocolVersion) throws {
        let mosquitto = try Mosquitto()
        let node = try Node(port: mosquitto.port, mode: mode, version: version)
        for number in 1...300 { node.publish("\(number)") }
        node.uplink.start()
        if mode == .batch, version == .v5 {
            #expect(node.wait { node.uplink.state == .noReceiver })
        } else {
            #expect(node.wait { node.uplink.state == .connected })
        }
        let receiver = Receiver()
        var options = MQTTClient.Options()
        options.clientIdentifier = Array("receiver".utf8)
        let client = MQTTClient(loop: node.loop, network: node.network, options: options)
        client.delegate = receiver
        client.connect(to: .tcp(host: "127.0.0.1", port: mosquitto.port))
        #expect(node.wait { receiver.isSubscribed })
        for number in 301...400 { node.publish("\(number)") }

        #expect(node.wait { node.queue.messages == 0 })
        #expect(client.publish(topic: "cmd/set", payload: [1], qos: .atLeastOnce) != nil)
        #expect(node.wait { node.sink.published.count == 1 })

        let arrived =
            mode == .each
            ? receiver.payloads.map { String(decoding: $0, as: UTF8.self) }
            : try receiver.payloads.filter { $0.count > 1 }.flatMap { try openBatch($0).1.map(\.payload) }
        #expect(Array(arrived.filter { $0.utf8.first != 1 }.suffix(100)) == (301...400).map { "\($0)" })
    }

    /// mosquitto allows ten, unless told otherwise.
    @Test(.enabled(if: isInstalled), arguments: [RouteOptions.Mode.batch, .each], [10, 0])
    func topicAliasesAreUsedAsMosquittoAllows(mode: RouteOptions.Mode, maximum: Int) throws {
        let mosquitto = try Mosquitto(maximum == 10 ? "" : "max_topic_alias \(maximum)\n")
        let node = try Node(port: mosquitto.port, mode: mode, version: .v5)
        let receiver = Receiver()
        let client = MQTTClient(loop: node.loop, network: node.network)
        client.delegate = receiver
        #expect(
            node.wait {
                client.connect(to: .tcp(host: "127.0.0.1", port: mosquitto.port))
                return receiver.isSubscribed
            })
        node.uplink.start()
        let room = String(repeating: "/long", count: 20)
        var topics: [String] = []
        for connection in 0..<3 {
            #expect(node.wait { node.uplink.state == .connected })
            for number in 0..<20 {
                // More topics than aliases, on the last connection.
                topics.append("plant/\(connection == 2 ? number : number % 5)\(room)")
                node.publish("\(connection) \(number)", topic: topics.last ?? "")
                if mode == .batch { #expect(node.wait { node.queue.messages == 0 }) }
            }
            #expect(node.wait { node.queue.messages == 0 })
            node.uplink.pause()
            node.uplink.resume()
        }

        #expect(node.wait { receiver.topics.count >= 60 })
        if mode == .each {
            #expect(receiver.topics == topics)
            let whole = topics.reduce(0) { $0 + $1.utf8.count }
            let saved = maximum == 0 ? 0 : topics[0].utf8.count * 30
            #expect(node.uplink.figures.sentBytes < UInt64(whole - saved + 60 * 24 + 400))
            if maximum == 0 { #expect(node.uplink.figures.sentBytes > UInt64(whole)) }
        } else {
            #expect(Set(receiver.topics) == Set(receiver.topics.prefix(1)))
            #expect(receiver.topics.first?.hasSuffix("/pump-7") == true)
        }
    }

    /// It answers PUBACK 0x95 on MQTT 5; on 3.1.1 it acknowledges and drops, which nobody can tell.
    @Test(.enabled(if: isInstalled)) func whatMosquittoFindsTooLargeIsSentInParts() throws {
        let mosquitto = try Mosquitto("message_size_limit 3000\n")
        let node = try Node(port: mosquitto.port, mode: .batch, version: .v5)
        let receiver = Receiver()
        let client = MQTTClient(loop: node.loop, network: node.network)
        client.delegate = receiver
        #expect(
            node.wait {
                client.connect(to: .tcp(host: "127.0.0.1", port: mosquitto.port))
                return receiver.isSubscribed
            })
        var numbers = SplitMix64(state: 4)
        for number in 1...60 {
            node.publish("\(number) " + (0..<10).map { _ in String(numbers.next(), radix: 36) }.joined())
        }
        node.uplink.start()

        #expect(node.wait { node.queue.messages == 0 })
        #expect(node.queue.refused == 0)
        #expect(receiver.payloads.count > 1)
        #expect(receiver.payloads.allSatisfy { $0.count <= 3000 })
    }
}
