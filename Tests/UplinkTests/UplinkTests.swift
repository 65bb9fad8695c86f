import EventLoop
import MQTT
import Store
import Testing

@testable import Uplink

@Suite struct UplinkTests {
    @Test func itConnectsWithItsOwnSession() throws {
        let world = try World { $0.username = Array("pump".utf8) }
        world.connect()

        let connect = try #require(world.upstream.connects.first)
        #expect(connect.clientIdentifier == Array("pump-7-cloud".utf8))
        #expect(!connect.cleanStart)
        #expect(connect.sessionExpiryInterval == 604_800)
        #expect(world.uplink.state == .connected)
        #expect(world.states == [.connecting, .connected])
        #expect(world.uplink.figures.reconnects == 0)
    }

    @Test func addressesAreTriedInOrderAndThenTheWaitGrows() throws {
        let world = try World { $0.urls = ["mqtt://nowhere:1", "mqtt://cloud"] }
        world.connect()
        #expect(world.uplink.state == .connected)
        #expect(world.uplink.url == "mqtt://cloud")

        world.upstream.refusesConnections = true
        world.upstream.close()
        world.settle()
        #expect(world.uplink.state == .waiting)
        world.pass(.seconds(60))
        world.upstream.refusesConnections = false
        world.pass(.seconds(70))

        #expect(world.uplink.state == .connected)
        #expect(world.uplink.figures.reconnects == 1)
    }

    @Test func waitsDoubleUpToTheLongest() {
        var backoff = Backoff(min: .seconds(1), max: .seconds(10))

        #expect((0..<6).map { _ in backoff.next(random: 0) } == [1, 2, 4, 8, 10, 10].map { .seconds($0) })
        #expect(backoff.next(random: 0.999) < .seconds(6))
        backoff.reset()
        #expect(backoff.next(random: 0.5) == .milliseconds(750))
    }

    @Test(arguments: [
        ("cloud:1883", UplinkError.badAddress("cloud:1883")),
        ("ws://cloud/a b", .badAddress("ws://cloud/a b")), ("mqtt://cloud/a", .badAddress("mqtt://cloud/a")),
        ("mqtt://", .badAddress("mqtt://")),
        ("mqtt://:1883", .badAddress("mqtt://:1883")), ("http://cloud", .badAddress("http://cloud")),
        ("mqtt://cloud:99999", .badAddress("mqtt://cloud:99999")),
    ])
    func badAddressesSayWhy(url: String, error: UplinkError) {
        #expect(throws: error) { try UplinkAddress(url) }
    }

    @Test(arguments: [
        ("mqtt://cloud", "cloud:1883"), ("mqtt://cloud:99/", "cloud:99"), ("mqtt://[::1]", "[::1]:1883"),
        ("mqtt://[::1]:7", "[::1]:7"), ("mqtts://cloud", "cloud:8883"), ("ws://cloud", "cloud:80"),
        ("wss://cloud", "cloud:443"), ("wss://[::1]:7/a:b?c=d", "[::1]:7"),
    ])
    func addressesAreRead(url: String, endpoint: String) throws {
        let address = try UplinkAddress(url)
        #expect(address.endpoint.description == endpoint)
        #expect(address.usesTLS == (url.hasPrefix("mqtts") || url.hasPrefix("wss")))
    }

    @Test(
        arguments: [
            ("mqtt://cloud", nil), ("ws://cloud:80", "/mqtt"), ("ws://cloud/", "/"), ("wss://cloud?a=b", "/mqtt?a=b"),
            ("wss://cloud/a/b?c=d", "/a/b?c=d"),
        ] as [(String, String?)])
    func webSocketAddressesHaveAPath(url: String, path: String?) throws {
        #expect(try UplinkAddress(url).webSocket?.path == path)
    }

    @Test func pausedMeansDisconnectedUntilResumed() throws {
        let world = try World()
        world.connect()
        world.uplink.pause()
        world.settle()
        world.publish("1")
        world.pass(.seconds(300), step: .seconds(1))
        #expect(world.uplink.state == .paused)
        #expect(world.upstream.received.isEmpty)

        world.uplink.resume()
        world.pass(.seconds(2))

        #expect(world.uplink.state == .connected)
        #expect(world.queues[0].messages == 0)
    }

    @Test func resumingWhileThePauseStillSaysGoodbyeConnects() throws {
        let world = try World()
        world.connect()
        world.uplink.pause()
        world.uplink.resume()
        world.settle()

        #expect(world.uplink.state == .connected)
        #expect(world.upstream.connects.count == 2)
    }

    @Test func takenOverTwiceItSaysThatAnotherClientUsesItsIdentifier() throws {
        let world = try World()
        world.connect()
        world.upstream.disconnect(.sessionTakenOver)
        world.pass(.seconds(2))
        #expect(world.uplink.state == .connected)

        world.upstream.disconnect(.sessionTakenOver)
        world.pass(.seconds(50))

        #expect(world.uplink.state == .waiting)
        #expect(world.uplink.error == "another client uses the client identifier pump-7-cloud")
        world.pass(.seconds(100))
        #expect(world.uplink.state == .connected)
    }

    @Test func aSilentLinkIsInDoubtAndWhatWasSentGoesToTheDisk() throws {
        let world = try World()
        world.connect()
        world.publish("0", waits: true)
        world.settle()
        #expect(world.queues[0].link.state == .healthy)

        world.network.cut(.silent)
        world.publish("1", qos: .atMostOnce)
        world.pass(.milliseconds(1900))
        #expect(world.queues[0].link.state == .healthy)
        #expect(world.engine.groups.allSatisfy { $0.segments.isEmpty })
        world.pass(.milliseconds(300))
        #expect(world.queues[0].link.state == .doubt)
        #expect(world.engine.groups.flatMap(\.segments).count == 1)

        world.network.restore()
        world.pass(.seconds(1))
        #expect(world.queues[0].link.state == .healthy)
        #expect(world.queues[0].messages == 0)
    }

    @Test func oneSlowFirstAnswerIsForgottenWithTheNext() throws {
        let world = try World()
        world.upstream.answer = { _ in .silence }
        world.connect()
        world.publish("0", waits: true)
        world.pass(.milliseconds(900))
        world.upstream.answer = { _ in .reason(.success) }
        world.upstream.acknowledge(try #require(world.upstream.received.first))
        world.settle()
        #expect(world.queues[0].link.smoothedMilliseconds > 500)

        world.publish("1", qos: .atMostOnce)
        world.pass(.seconds(2))

        #expect(world.queues[0].link.smoothedMilliseconds < 10)
        let segments = world.engine.groups.flatMap(\.segments).count
        world.publish("2", waits: true)
        world.settle()
        #expect(world.waiter.settled == [.success, .success])
        world.pass(.seconds(2))
        #expect(world.engine.groups.flatMap(\.segments).count == segments)
    }

    @Test func aMissedPingIsADoubt() throws {
        let world = try World { $0.keepAlive = 10 }
        world.connect()
        world.upstream.isSilent = true

        world.pass(.seconds(16))
        #expect(world.queues[0].link.state == .doubt)
        world.pass(.seconds(20))
        #expect(world.uplink.figures.reconnects == 1)
    }

    @Test func alarmsPassABacklogOfBulk() throws {
        let bulk = RouteOptions(name: "bulk", priority: .bulk, batchBytes: 16 << 10, level: .fast)
        let alarms = RouteOptions(name: "alarms", priority: .critical, mode: .each)
        let world = try World(routes: [bulk, alarms])
        world.upstream.connack.receiveMaximum = 4
        var numbers = SplitMix64(state: 9)
        for _ in 0..<2000 {
            world.publish((0..<8).map { _ in String(numbers.next(), radix: 36) }.joined(), route: 0)
        }
        for number in 1...20 { world.publish("alarm \(number)", topic: "alarm", route: 1) }

        world.connect()
        world.pass(.seconds(2))

        let place = try #require(world.upstream.received.lastIndex { $0.topic == "alarm" })
        #expect(place < 25)
        #expect(world.queues.map(\.messages) == [0, 0])
    }

    // MARK: - From the cloud

    private static let commands = SubscribeOptions(filter: "cmd/pump-7/#", topic: "local/{topic}")

    @Test(arguments: [ProtocolVersion.v5, .v311])
    func itSubscribesWithNoLocalWhereThatExists(version: ProtocolVersion) throws {
        let world = try World {
            $0.version = version
            $0.subscriptions = [Self.commands]
        }
        world.connect()

        #expect(world.upstream.subscriptions.map { String(decoding: $0.filter, as: UTF8.self) } == ["cmd/pump-7/#"])
        #expect(world.upstream.subscriptions.map(\.noLocal) == [version == .v5])
    }

    @Test func commandsAreAcknowledgedInOrderOnceTheyAreSafe() throws {
        let world = try World { $0.subscriptions = [Self.commands] }
        world.sink.answersAtOnce = false
        world.connect()
        for identifier in 1...3 {
            world.upstream.publish(topic: "cmd/pump-7/set", payload: "\(identifier)", identifier: UInt16(identifier))
        }
        world.settle()
        #expect(
            world.sink.published.map(\.topic) == [
                "local/cmd/pump-7/set", "local/cmd/pump-7/set", "local/cmd/pump-7/set",
            ])
        #expect(world.upstream.acknowledged == [])

        world.sink.waiting[1](.success)
        world.settle()
        #expect(world.upstream.acknowledged == [])
        world.sink.waiting[0](.success)
        world.sink.waiting[2](.success)
        world.settle()

        #expect(world.upstream.acknowledged == [1, 2, 3])
    }

    @Test func whatComesBackIsDropped() throws {
        let world = try World { $0.subscriptions = [Self.commands] }
        world.connect()
        var been = PropertyWriter()
        been.append(UserProperty("via", "pump-7"))

        world.upstream.publish(topic: "cmd/pump-7/set", payload: "1", identifier: 1, properties: been.bytes)
        world.settle()

        #expect(world.sink.published.isEmpty)
        #expect(world.upstream.acknowledged == [1])
    }

    @Test func aCommandThatTheStoreCantKeepIsAskedForAgain() throws {
        let world = try World { $0.subscriptions = [Self.commands] }
        world.connect()
        world.sink.refuses = true
        world.upstream.publish(topic: "cmd/pump-7/set", payload: "on", identifier: 5)
        world.pass(.seconds(5))
        #expect(world.upstream.acknowledged.isEmpty, "an answer would end it")

        world.sink.refuses = false
        world.pass(.seconds(5))
        #expect(world.upstream.connects.count == 2)
        world.upstream.publish(topic: "cmd/pump-7/set", payload: "on", identifier: 5)
        world.settle()

        #expect(world.upstream.acknowledged == [5])
        #expect(world.sink.published.map(\.payload) == ["on"])
    }
}
