import EventLoop
import MQTT
import Testing

@testable import Broker

/// What clients may do, and what becomes of what they may not.
struct RightsTests {
    private let access = ScriptedAccess()

    private func node() throws -> Node {
        let node = try Node(starts: false)
        node.access = access
        try node.start()
        return node
    }

    // MARK: Publishing

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce]) func aDeniedPublishIsAnswered0x87(qos: QoS) throws {
        access.rights["pump"] = ScriptedRights(publish: ["plant/#"])
        let node = try node()
        let watcher = try node.client("watcher")
        watcher.subscribed("#")
        let pump = try node.client("pump", user: "pump")

        let refused = pump.publish("other", "x", qos)
        let taken = pump.publish("plant/7", "y", qos)

        let answers = pump.takeAcknowledgements()
        #expect(answers.first { $0.packetIdentifier == refused }?.reason == .notAuthorized)
        #expect(answers.first { $0.packetIdentifier == taken }?.reason.isError == false)
        #expect(watcher.takeDeliveries().map(\.topic) == ["plant/7"])
        #expect(node.broker.figures.deniedPublishes == 1)
        #expect(node.lines.contains("pump (user pump) may not publish to other"))
    }

    @Test(
        "[MQTT-3.3.5-2] on 3.1.1 it is acknowledged and dropped",
        arguments: [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func onMQTT311(qos: QoS) throws {
        access.rights["pump"] = ScriptedRights()
        let node = try node()
        let watcher = try node.client("watcher")
        watcher.subscribed("#")
        let pump = try node.client("pump", .v311, user: "pump")
        let identifier = pump.publish("other", "x", qos)
        if qos == .exactlyOnce { pump.acknowledge(.pubrel, identifier) }

        let kinds = pump.takeAcknowledgements().map(\.type)

        #expect(kinds == [[], [.puback], [.pubrec, .pubcomp]][Int(qos.rawValue)])
        #expect(!pump.isClosed)
        #expect(watcher.takeMessages() == [])
        #expect(node.broker.figures.deniedPublishes == 1)
    }

    @Test func rightsAreAskedOnceATopic() throws {
        let rights = ScriptedRights(publish: ["plant/#"])
        access.rights["pump"] = rights
        let node = try node()
        let pump = try node.client("pump", user: "pump")

        for _ in 0..<50 {
            pump.publish("plant/1", "x")
            pump.publish("other", "x")
        }
        node.run()

        #expect(rights.asked == 2)
        #expect(node.broker.figures.deniedPublishes == 50)
    }

    /// More publishers of a topic than answers are kept: they are asked again, and right.
    @Test func manyPublishersOfOneTopic() throws {
        for number in 0..<20 {
            access.rights["\(number)"] = ScriptedRights(publish: number % 2 == 0 ? ["t"] : [])
        }
        let node = try node()
        let watcher = try node.client("watcher")
        watcher.subscribed("t")
        let clients = try (0..<20).map { try node.client("c\($0)", user: "\($0)") }

        for round in 0..<3 {
            for (number, client) in clients.enumerated() { client.publish("t", "\(round).\(number)") }
            node.run()
        }

        let payloads = watcher.takeDeliveries().map(\.payload)
        #expect(payloads.count == 30)
        #expect(payloads.allSatisfy { Int($0.split(separator: ".")[1]).map { $0 % 2 == 0 } == true })
    }

    @Test(arguments: [
        ("$SYS/broker/uptime", false), ("$other", false), ("$hw/events/device/d/twin/update", true),
        ("$hw/events/device/d/twin/get", true), ("$hw/events/device/ns/d/twin/get", true),
        ("$hw/events/device/d/state/update", true), ("$hw/events/device/d/twin/cloud_updated", true),
        ("$hw/events/node/n/membership/get", true), ("$hw/events/upload/x", true),
        ("$hw/events/device/d/twin/get/result", false), ("$hw/events/device/ns/d/twin/update/result", false),
        ("$hw/events/device/d/twin/update/document", false), ("$hw/events/device/d/twin/update/delta", false),
        ("$hw/events/device/d/twin/edge_updated", false), ("$hw/events/node/n/device/d/twin/edge_updated", true),
        ("$hw/events/device/d/state/update/result", false), ("$hw/events/device/d/updated", false),
        ("$hw/events/node/n/membership/get/result", false), ("$hw/events/node/n/membership/updated", false),
        ("$hw/events/connected/c", false), ("$hw/events/disconnected/c", false),
    ])
    func whatOnlyTheNodeWrites(topic: String, isOpen: Bool) throws {
        let node = try node()
        let client = try node.client("a")

        client.publish(topic, "x", .atLeastOnce)

        #expect(client.takeAcknowledgements().first?.reason.isError == !isOpen)
    }

    // MARK: Wills

    @Test(arguments: [ProtocolVersion.v311, .v5]) func aWillWithoutTheRightIsRefusedAtOnce(version: ProtocolVersion)
        throws
    {
        access.rights["pump"] = ScriptedRights(publish: ["plant/#"])
        let node = try node()
        let will = Will(topic: [UInt8]("other".utf8), payload: [])

        let client = try node.client("a", version, will: will, user: "pump")

        #expect(client.connack?.reason == .notAuthorized)
        #expect(node.broker.figures.deniedPublishes == 1)
    }

    @Test(arguments: [true, false]) func aWillIsLookedAtAgainWhenItIsPublished(restarts: Bool) throws {
        access.rights["pump"] = ScriptedRights(publish: ["will"])
        let node = try node()
        let client = try node.client(
            "a", keepAlive: 10, will: Will(topic: [UInt8]("will".utf8), payload: [1]), user: "pump")
        node.advance(by: .seconds(2))
        access.rights["pump"] = ScriptedRights()
        if restarts { try node.restart() } else { #expect(node.broker.accessChanged() == 0) }
        let watcher = try node.client("watcher")
        watcher.subscribed("will")

        if !restarts { client.drop() }
        node.advance(by: .seconds(60))

        #expect(watcher.takeMessages() == [])
        #expect(node.broker.figures.deniedPublishes == 1)
    }

    // MARK: Subscribing and receiving

    @Test(arguments: [ProtocolVersion.v311, .v5]) func aFilterWithoutAnythingToReadIsRefused(version: ProtocolVersion)
        throws
    {
        access.rights["app"] = ScriptedRights(subscribe: ["plant/#"])
        let node = try node()
        let app = try node.client("app", version, user: "app")

        #expect(app.subscribed("other/#") == [version == .v5 ? .notAuthorized : .unspecifiedError])
        #expect(app.subscribed("#", .atLeastOnce) == [.grantedQoS1])
        #expect(node.broker.figures.deniedSubscriptions == 1)
    }

    @Test(arguments: [(UInt32?.none, QoS.atMostOnce), (nil, .atLeastOnce), (600, .atLeastOnce), (600, .exactlyOnce)])
    func whatMayNotBeReadIsLeftOut(expiry: UInt32?, qos: QoS) throws {
        access.rights["app"] = ScriptedRights(subscribe: ["plant/#"])
        let node = try node()
        let publisher = try node.client("publisher")
        publisher.publish("plant/0", "kept", .atLeastOnce, retain: true)
        publisher.publish("other/0", "kept", .atLeastOnce, retain: true)
        node.run()
        let app = try node.client("app", expiry: expiry, acknowledges: true, user: "app")
        app.subscribed("#", qos)

        publisher.publish("plant/1", "x", qos)
        publisher.publish("other/1", "x", qos)

        #expect(app.takeDeliveries().map(\.topic) == ["plant/0", "plant/1"])
    }

    @Test func takenRightsEndForLiveSessions() throws {
        access.rights["app"] = ScriptedRights(publish: ["a", "b"], subscribe: ["a", "b"])
        let node = try node()
        let publisher = try node.client("publisher")
        let app = try node.client("app", user: "app")
        app.subscribed("#", .atLeastOnce)
        publisher.publish("a", "1")
        publisher.publish("b", "1")
        #expect(app.takeMessages() == ["a=1/0", "b=1/0"])
        app.publish("a", "mine", .atLeastOnce)
        #expect(app.takeAcknowledgements().map(\.reason.isError) == [false])

        access.rights["app"] = ScriptedRights(publish: ["b"], subscribe: ["b"])
        #expect(node.broker.accessChanged() == 0)
        app.forget()
        publisher.publish("a", "2")
        publisher.publish("b", "2")

        #expect(app.takeMessages() == ["b=2/0"])
        app.publish("a", "mine", .atLeastOnce)
        #expect(app.takeAcknowledgements().map(\.reason) == [.notAuthorized])
    }

    /// What has waited for it since before, in memory or on disk, over a restart too.
    @Test(arguments: [true, false], [QoS.atLeastOnce, .exactlyOnce])
    func takenRightsEndForStoredSessions(restarts: Bool, qos: QoS) throws {
        access.rights["app"] = ScriptedRights(subscribe: ["a", "b"])
        let node = try node()
        let app = try node.client("app", expiry: 600, user: "app")
        app.subscribed("#", qos)
        app.drop()
        let publisher = try node.client("publisher")
        for topic in ["a", "b", "a"] { publisher.publish(topic, "x", .exactlyOnce) }
        node.run()

        access.rights["app"] = ScriptedRights(subscribe: ["b"])
        if restarts { try node.restart() } else { #expect(node.broker.accessChanged() == 0) }
        let again = try node.client("app", clean: false, expiry: 600, acknowledges: true, user: "app")
        node.run()

        #expect(again.connack?.sessionPresent == true)
        #expect(again.takeDeliveries().map(\.topic) == ["b"])
        #expect(node.broker.figures.withheld == 2)
        #expect(node.broker.sessions[Array("app".utf8)]?.queuedMessages == 0, "what is withheld waits no more")
    }

    /// What was sent and not acknowledged is not sent again.
    @Test func takenRightsEndForWhatIsInFlight() throws {
        access.rights["app"] = ScriptedRights(subscribe: ["a", "b"])
        let node = try node()
        let app = try node.client("app", expiry: 600, user: "app")
        app.subscribed("#", .atLeastOnce)
        let publisher = try node.client("publisher")
        publisher.publish("a", "x", .atLeastOnce)
        publisher.publish("b", "x", .atLeastOnce)
        #expect(app.takeDeliveries().count == 2)
        app.drop()

        access.rights["app"] = ScriptedRights(subscribe: ["b"])
        _ = node.broker.accessChanged()
        let again = try node.client("app", clean: false, expiry: 600, acknowledges: true, user: "app")

        #expect(again.takeDeliveries().map(\.topic) == ["b"])
    }

    /// Another user's client takes the session over: it gets what that user may read.
    @Test func aSessionIsReadUnderTheRightsOfItsClient() throws {
        access.rights["app"] = ScriptedRights(subscribe: ["a", "b"])
        access.rights["other"] = ScriptedRights(subscribe: ["b"])
        let node = try node()
        try {
            let app = try node.client("app", expiry: 600, user: "app")
            app.subscribed("#", .atLeastOnce)
            app.drop()
        }()
        let publisher = try node.client("publisher")
        for topic in ["a", "b"] { publisher.publish(topic, "x", .atLeastOnce) }
        node.run()

        let other = try node.client("app", clean: false, expiry: 600, acknowledges: true, user: "other")
        publisher.publish("a", "y", .atLeastOnce)
        publisher.publish("b", "y", .atLeastOnce)

        #expect(other.takeMessages() == ["b=x/1", "b=y/1"])
    }

    /// A reload that changes nothing for a client leaves what is known.
    @Test func theSameRightsAreNotAskedAgain() throws {
        let rights = ScriptedRights(publish: ["a"])
        access.rights["app"] = rights
        let node = try node()
        let app = try node.client("app", user: "app")
        app.publish("a", "1")
        node.run()
        _ = node.broker.accessChanged()
        app.publish("a", "2")
        node.run()

        #expect(rights.asked == 1)
    }

    @Test func whoMayNotStayIsDisconnectedAndGetsNothingMore() throws {
        access.rights["app"] = ScriptedRights(subscribe: ["#"])
        let node = try node()
        let app = try node.client("app", expiry: 600, user: "app")
        app.subscribed("#", .atLeastOnce)

        access.rights["app"] = nil
        #expect(node.broker.accessChanged() == 1)
        node.run()

        #expect(app.take() == [.disconnect(.notAuthorized)])
        let publisher = try node.client("publisher")
        publisher.publish("a", "x", .atLeastOnce)
        node.run()
        #expect(node.broker.sessions[Array("app".utf8)]?.queuedMessages == 0)
        #expect(node.lines.contains { $0.contains("app") && $0.contains("user app may not stay") })
    }

    /// QoS 0 backlog of retained messages for a client that reads slowly.
    @Test func retainedMessagesThatWaitAreLookedAtAgain() throws {
        access.rights["app"] = ScriptedRights(subscribe: ["#"])
        let node = try Node(starts: false)
        node.limits.outputBytes = 4096
        node.access = access
        try node.start()
        let publisher = try node.client("publisher")
        let payload = String(repeating: "x", count: 1000)
        for number in 0..<20 { publisher.publish("a/\(number)", payload, .atLeastOnce, retain: true) }
        node.run()
        let app = try node.client("app", user: "app")
        let session = try #require(node.broker.sessions[Array("app".utf8)])
        app.subscribe(.to("#", .atMostOnce))
        for _ in 0..<100 where session.retainedBacklog.isEmpty { node.loop.tick(wait: .zero) }
        #expect(!session.retainedBacklog.isEmpty)

        access.rights["app"] = ScriptedRights()
        _ = node.broker.accessChanged()
        node.run()

        #expect(app.takeDeliveries().count < 20)
    }
}
