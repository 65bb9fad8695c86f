import EventLoop
import MQTT
import Testing

@testable import Uplink

/// Upstreams that refuse, close, keep silent or talk nonsense: how often an uplink comes back in an hour, what it says, and how
/// many lines that is.
@Suite struct MisbehavingUpstreamTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var version = ProtocolVersion.v5
        /// CONNECTs in an hour, at most.
        var connects = 60
        /// ... and at least: it doesn't give up.
        var attempts = 20
        /// In `roost uplink`.
        var says: String
        var script: @Sendable (ScriptedUpstream) -> Void
    }

    private static func refusing(_ reason: ReasonCode, reference: String? = nil) -> @Sendable (ScriptedUpstream) -> Void
    {
        {
            var connack = Connack(reason: reason)
            connack.serverReference = reference
            let bytes = connack.encode(version: .v5)
            $0.welcome = { _ in .bytes(bytes) }
        }
    }

    private static func welcoming(_ welcome: ScriptedUpstream.Welcome) -> @Sendable (ScriptedUpstream) -> Void {
        { $0.welcome = { _ in welcome } }
    }

    static let cases: [Case] = [
        Case(
            testDescription: "a bad password", connects: 60,
            says:
                "the upstream refuses the login of user pump: bad user name or password; see username and password_file",
            script: refusing(.badUserNameOrPassword)),
        Case(
            testDescription: "a bad password on 3.1.1", version: .v311, connects: 60,
            says:
                "the upstream refuses the login of user pump: bad user name or password; see username and password_file",
            script: welcoming(.bytes([0x20, 2, 0, 4]))),
        Case(
            testDescription: "not authorized", says: "the upstream doesn't let user pump in: not authorized",
            script: refusing(.notAuthorized)),
        Case(
            testDescription: "banned", says: "the upstream doesn't let user pump in: banned", script: refusing(.banned)),
        Case(
            testDescription: "the client identifier",
            says: "the upstream refuses the client identifier pump-7-cloud; see client_id",
            script: refusing(.clientIdentifierNotValid)),
        Case(
            testDescription: "the version", says: "the upstream doesn't speak MQTT 5; try protocol = 4",
            script: refusing(.unsupportedProtocolVersion)),
        Case(
            testDescription: "busy", says: "the upstream can't take us now: server busy", script: refusing(.serverBusy)),
        Case(
            testDescription: "unavailable on 3.1.1", version: .v311,
            says: "the upstream can't take us now: server unavailable", script: welcoming(.bytes([0x20, 2, 0, 3]))),
        Case(
            testDescription: "moved to somewhere else",
            says: "the upstream has moved to elsewhere:1883, which is not one of urls",
            script: refusing(.serverMoved, reference: "elsewhere:1883")),
        Case(
            testDescription: "use another server, unnamed",
            says: "the upstream says that we shall use another server, but not which; see urls",
            script: refusing(.useAnotherServer)),
        Case(
            testDescription: "no CONNACK",
            says: "connected, but no CONNACK came in time; is an MQTT broker there?", script: welcoming(.silence)),
        Case(
            testDescription: "closed in place of CONNACK",
            says: "the server closed the connection, without a CONNACK; is an MQTT broker there, and not one for TLS?",
            script: welcoming(.close)),
        Case(
            testDescription: "HTTP", says: "what answers there doesn't speak MQTT; is it the right port? (",
            script: welcoming(.bytes(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)))),
        Case(
            testDescription: "garbage behind CONNACK", says: "what came is not the MQTT that an upstream may send: ",
            script: welcoming(.connackThen([0xFF, 0xFF, 0xFF, 0xFF, 0xFF]))),
        Case(
            testDescription: "accepted, and closed at once",
            says: "the server closed the connection; so it goes each time, before it has taken anything",
            script: welcoming(.connackThenClose)),
        Case(
            testDescription: "accepted, and told to go",
            says:
                "the server disconnected us: administrative action; so it goes each time, before it has taken anything",
            script: welcoming(.connackThen(Disconnect(reason: .administrativeAction).encode(version: .v5)))),
        Case(
            testDescription: "accepted, and moved by DISCONNECT",
            says: "the upstream has moved to elsewhere, which is not one of urls",
            script: welcoming(
                .connackThen(
                    Disconnect(reason: .serverMoved, serverReference: "elsewhere").encode(version: .v5)))),
        Case(
            testDescription: "closed at every PUBLISH",
            says: "the server closed the connection",
            script: { $0.answer = { _ in .close } }),
        Case(
            testDescription: "closed at every PUBLISH on 3.1.1", version: .v311,
            says: "the server closed the connection",
            script: { $0.answer = { _ in .close } }),
        Case(
            testDescription: "acknowledges nothing", attempts: 8,
            says: "the upstream has acknowledged nothing for 180 s",
            script: { $0.answer = { _ in .silence } }),
    ]

    @Test(arguments: cases, [RouteOptions.Mode.batch, .each])
    func neverMakesItRunHot(example: Case, mode: RouteOptions.Mode) throws {
        let world = try World(routes: [RouteOptions(name: "plant", mode: mode)]) {
            $0.version = example.version
            $0.username = Array("pump".utf8)
        }
        example.script(world.upstream)
        world.publish("1")
        world.publish("2")

        world.connect()
        world.rush(.seconds(3600))

        #expect((example.attempts...example.connects).contains(world.upstream.accepted))
        // While it waits for a silent upstream there is nothing new to say.
        for _ in 0..<2000 where world.uplink.state != .waiting { world.rush(.milliseconds(500)) }
        #expect(world.uplink.error?.hasPrefix(example.says) == true, "\(world.uplink.error ?? "")")
        #expect(world.queues[0].messages == 2)
        #expect(world.notices.count <= 12)
        #expect(Set(world.notices).count >= world.notices.count / 6)
    }

    @Test func anAnswerIsEnoughToBeginAnew() throws {
        let world = try World()
        world.upstream.welcome = { _ in .connackThenClose }
        world.connect()
        world.rush(.seconds(600))
        #expect(!world.uplink.isProven)

        world.upstream.welcome = { _ in .connack }
        world.publish("1")
        world.rush(.seconds(130))
        #expect(world.uplink.isProven)
        #expect(world.uplink.error == nil)
        let before = world.upstream.accepted
        world.upstream.close()
        world.pass(.milliseconds(1100))

        #expect(world.upstream.accepted == before + 1)
    }

    @Test func aPongIsEnoughWhereNothingIsToBeSent() throws {
        let world = try World {
            $0.keepAlive = 10
            $0.heartbeat = .zero
        }
        world.upstream.welcome = { _ in .connackThenClose }
        world.connect()
        world.pass(.seconds(60))
        world.upstream.welcome = { _ in .connack }
        world.pass(.seconds(80))

        #expect(world.uplink.state == .connected)
        #expect(world.uplink.isProven)
    }

    @Test func aServerReferenceThatIsOneOfTheAddressesIsFollowed() throws {
        let world = try World { $0.urls = ["mqtt://cloud", "mqtt://cloud:1884"] }
        let other = try ScriptedUpstream(loop: world.loop, network: world.network, port: 1884)
        var connack = Connack(reason: .useAnotherServer)
        connack.serverReference = "cloud:1884"
        let bytes = connack.encode(version: .v5)
        world.upstream.welcome = { _ in .bytes(bytes) }

        world.connect()

        #expect(world.uplink.state == .connected)
        #expect(world.uplink.url == "mqtt://cloud:1884")
        #expect(other.connects.count == 1)
    }

    @Test func twoThatSendToEachOtherAreNotFollowedForEver() throws {
        let world = try World { $0.urls = ["mqtt://cloud", "mqtt://cloud:1884"] }
        let other = try ScriptedUpstream(loop: world.loop, network: world.network, port: 1884)
        for (upstream, reference) in [(world.upstream, "cloud:1884"), (other, "cloud:1883")] {
            var connack = Connack(reason: .serverMoved)
            connack.serverReference = reference
            let bytes = connack.encode(version: .v5)
            upstream.welcome = { _ in .bytes(bytes) }
        }

        world.connect()
        world.rush(.seconds(3600))

        #expect(world.upstream.accepted + other.accepted < 300)
    }

    @Test func whoIsTakenOverAgainAndAgainBacksOffAndSaysWhy() throws {
        let world = try World()
        world.upstream.welcome = { _ in
            .connackThen(Disconnect(reason: .sessionTakenOver).encode(version: .v5))
        }
        world.connect()
        world.rush(.seconds(3600))

        #expect((20...60).contains(world.upstream.accepted))
        #expect(world.uplink.error == "another client uses the client identifier pump-7-cloud")
        #expect(world.notices.count <= 7)

        // The other one has gone.
        world.upstream.welcome = { _ in .connack }
        world.rush(.seconds(500))
        #expect(world.uplink.state == .connected)
        #expect(world.uplink.error == nil)
        #expect(world.uplink.isProven)
    }

    @Test func anErrorComesWithTheAddressThatItIsAbout() throws {
        let world = try World { $0.urls = ["mqtt://nowhere:1", "mqtt://cloud"] }
        world.upstream.connack.reason = .notAuthorized
        world.connect()
        world.pass(.seconds(2))

        #expect(world.uplink.state == .waiting)
        #expect(world.uplink.error == "the upstream doesn't let us without a user name in: not authorized")
        #expect(world.uplink.url == "mqtt://cloud")
    }

    // MARK: - Failover

    @Test func anAddressThatTakesNothingIsPassedOver() throws {
        let world = try World { $0.urls = ["mqtt://cloud", "mqtt://cloud:1884"] }
        let other = try ScriptedUpstream(loop: world.loop, network: world.network, port: 1884)
        world.upstream.welcome = { _ in .connackThenClose }
        world.publish("1")

        world.connect()
        world.pass(.seconds(2))

        #expect(world.uplink.url == "mqtt://cloud:1884")
        #expect(world.queues[0].messages == 0)
        #expect(other.batches.flatMap(\.messages).map(\.payload) == ["1"])
    }

    @Test(arguments: [RouteOptions.Mode.batch, .each])
    func itGoesBackToTheFirstAddressAndSendsNothingTwice(mode: RouteOptions.Mode) throws {
        let world = try World(routes: [RouteOptions(name: "plant", mode: mode)]) {
            $0.urls = ["mqtt://cloud:1884", "mqtt://cloud"]
        }
        world.connect()
        world.publish("1")
        world.rush(.seconds(1900))
        #expect(world.uplink.url == "mqtt://cloud")
        #expect(world.uplink.figures.reconnects == 0)

        let first = try ScriptedUpstream(loop: world.loop, network: world.network, port: 1884)
        for number in 2...400 {
            world.publish("\(number)")
            world.rush(.seconds(5))
        }
        world.rush(.seconds(5))

        #expect(world.uplink.url == "mqtt://cloud:1884")
        #expect(world.uplink.figures.reconnects == 1)
        #expect(world.queues[0].messages == 0)
        #expect(world.upstream.received.count > 1)
        if mode == .each {
            let all = (world.upstream.received + first.received).map { String(decoding: $0.payload, as: UTF8.self) }
            #expect(all == (1...400).map { "\($0)" })
        }
    }

    @Test func aLinkThatComesAndGoesDrainsABacklog() throws {
        let world = try World(routes: [RouteOptions(name: "plant", batchBytes: 64 << 10)])
        world.network.wire.delay = .milliseconds(50)
        for number in 1...100_000 { world.publish("\(number)") }
        world.network.cut(.broken)
        world.connect()
        var seconds = 0
        while world.queues[0].messages > 0, seconds < 1800 {
            world.network.cut(.broken)
            world.rush(.seconds(5))
            world.network.restore()
            world.rush(.seconds(2))
            seconds += 7
        }

        // Without any jitter to find the two seconds by.
        #expect(world.queues[0].messages == 0)
        #expect(seconds < 1000)
    }

    // MARK: - From the cloud

    @Test(arguments: [ProtocolVersion.v5, .v311])
    func aRefusedSubscriptionIsShown(version: ProtocolVersion) throws {
        let world = try World {
            $0.version = version
            $0.subscriptions = [SubscribeOptions(filter: "cmd/#"), SubscribeOptions(filter: "secret/#")]
        }
        world.upstream.granted = {
            $0.filter == Array("secret/#".utf8) ? (version == .v5 ? .notAuthorized : .unspecifiedError) : .grantedQoS1
        }
        world.connect()
        let reason = version == .v5 ? "not authorized" : "unspecified error"
        #expect(world.uplink.error == "the upstream refuses the subscription to secret/#: \(reason)")
        #expect(world.uplink.state == .connected)

        world.upstream.granted = { _ in .grantedQoS1 }
        world.rush(.seconds(601))

        #expect(world.uplink.error == nil)
        #expect(world.upstream.subscriptions.count == 3)
    }

    @Test(arguments: [(ProtocolVersion.v5, true, 2), (.v5, false, 2), (.v311, true, 1), (.v311, false, 2)])
    func itSubscribesAgainWhereTheSessionWasLost(version: ProtocolVersion, present: Bool, times: Int) throws {
        let world = try World {
            $0.version = version
            $0.subscriptions = [SubscribeOptions(filter: "cmd/#")]
        }
        world.connect()
        world.upstream.connack.sessionPresent = present
        world.upstream.close()
        world.pass(.seconds(3))

        #expect(world.upstream.connects.count == 2)
        #expect(world.upstream.subscriptions.count == times)
    }

    @Test func whatNoSubscriptionAsksForIsAcknowledgedAndDropped() throws {
        let world = try World { $0.subscriptions = [SubscribeOptions(filter: "cmd/#")] }
        world.connect()
        world.upstream.publish(topic: "old/1", payload: "x", identifier: 1)
        world.upstream.publish(topic: "cmd/1", payload: "y", identifier: 2)
        world.settle()

        #expect(world.sink.published.map(\.topic) == ["cmd/1"])
        #expect(world.upstream.acknowledged == [1, 2])
    }
}
