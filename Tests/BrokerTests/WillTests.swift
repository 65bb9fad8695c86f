import EventLoop
import MQTT
import Testing

@testable import Broker

/// Will Messages (MQTT 5 §3.1.2.5).
struct WillTests {
    private func watcher(_ node: Node) throws -> TestClient {
        let client = try node.client("watcher")
        client.subscribed("will")
        return client
    }

    private func will(delay: UInt32 = 0) -> Will {
        Will(topic: [UInt8]("will".utf8), payload: [UInt8]("w".utf8), delay: delay)
    }

    @Test(arguments: [ProtocolVersion.v311, .v5]) func goesOutWhenTheConnectionBreaks(version: ProtocolVersion) throws {
        let node = try Node()
        let watcher = try watcher(node)
        let client = try node.client("a", version, will: will())

        client.drop()

        #expect(watcher.takeMessages() == ["will=w/0"])
    }

    @Test(
        "[MQTT-3.1.2-10] only DISCONNECT with reason 0 takes the Will away",
        arguments: [
            (ReasonCode.normalDisconnection, false), (.disconnectWithWill, true), (.unspecifiedError, true),
        ])
    func disconnect(reason: ReasonCode, isPublished: Bool) throws {
        let node = try Node()
        let watcher = try watcher(node)
        let client = try node.client("a", will: will())

        client.disconnect(reason)

        #expect(watcher.takeMessages() == (isPublished ? ["will=w/0"] : []))
    }

    @Test func waitsForItsDelay() throws {
        let node = try Node()
        let watcher = try watcher(node)
        let client = try node.client("a", expiry: 100, will: will(delay: 10))
        client.drop()

        node.advance(by: .seconds(9))
        #expect(watcher.takeMessages() == [])
        node.advance(by: .seconds(2))

        #expect(watcher.takeMessages() == ["will=w/0"])
    }

    @Test("[MQTT-3.1.3-9] the client's return takes the Will away")
    func returnCancels() throws {
        let node = try Node()
        let watcher = try watcher(node)
        let client = try node.client("a", expiry: 100, will: will(delay: 10))
        client.drop()
        node.advance(by: .seconds(5))

        _ = try node.client("a", clean: false, expiry: 100)
        node.advance(by: .seconds(20))

        #expect(watcher.takeMessages() == [])
    }

    @Test func endOfTheSessionEndsTheDelay() throws {
        let node = try Node()
        let watcher = try watcher(node)
        let client = try node.client("a", expiry: 5, will: will(delay: 100))
        client.drop()

        node.advance(by: .seconds(6))
        #expect(watcher.takeMessages() == ["will=w/0"])
        try node.client("b", expiry: 500, will: will(delay: 100)).drop()
        #expect(watcher.takeMessages() == [])
        _ = try node.client("b", clean: true)

        #expect(watcher.takeMessages() == ["will=w/0"])
    }

    @Test(arguments: [(UInt32(0), 1), (10, 0)]) func takeover(delay: UInt32, published: Int) throws {
        let node = try Node()
        let watcher = try watcher(node)
        _ = try node.client("a", expiry: 100, will: will(delay: delay))

        _ = try node.client("a", clean: false, expiry: 100)
        node.advance(by: .seconds(20))

        #expect(watcher.takeMessages().count == published)
    }

    @Test func keepAliveTimeoutPublishes() throws {
        let node = try Node()
        let watcher = try watcher(node)
        _ = try node.client("a", keepAlive: 10, will: will())

        node.advance(by: .seconds(16))

        #expect(watcher.takeMessages() == ["will=w/0"])
    }

    // MARK: Over a stop

    @Test(arguments: [nil, UInt32(3600)]) func goesOutForWhoDoesNotComeBackAfterAKill(expiry: UInt32?) throws {
        let node = try Node()
        _ = try node.client("a", expiry: expiry, keepAlive: 60, will: will())
        node.advance(by: .seconds(2))
        try node.restart()
        let watcher = try watcher(node)

        node.advance(by: .seconds(89))
        #expect(watcher.takeMessages() == [])
        node.advance(by: .seconds(2))

        #expect(watcher.takeMessages() == ["will=w/0"])
        if expiry == nil { #expect(node.broker.sessions.count == 1) }
        try node.restart()
        node.advance(by: .seconds(200))
        #expect(try self.watcher(node).takeMessages() == [])
    }

    @Test(arguments: [true, false], [nil, UInt32(3600)])
    func notForWhoComesBackAfterAKill(clean: Bool, expiry: UInt32?) throws {
        let node = try Node()
        _ = try node.client("a", expiry: expiry, will: will())
        node.advance(by: .seconds(2))
        try node.restart()
        let watcher = try watcher(node)

        let client = try node.client("a", clean: clean, expiry: expiry)
        node.advance(by: .seconds(20))
        #expect(watcher.takeMessages() == [])
        client.disconnect()
        node.advance(by: .seconds(200))

        #expect(watcher.takeMessages() == [])
    }

    @Test func shutDownPublishesNoneBeforeTheNextStart() throws {
        let node = try Node()
        let watcher = try watcher(node)
        let client = try node.client("a", will: will())
        node.advance(by: .seconds(2))

        node.broker.shutDown()
        node.run()
        #expect(client.take() == [.disconnect(.serverShuttingDown)])
        #expect(watcher.takeMessages() == [])
        node.log.close([]) {}
        node.run()
        try node.restart()
        let next = try self.watcher(node)
        node.advance(by: .seconds(31))

        #expect(next.takeMessages() == ["will=w/0"])
    }

    @Test func whoComesWhileWeStopIsTurnedAway() throws {
        let node = try Node()

        node.broker.shutDown()
        let late = try node.open()
        late.connect("late")
        node.run()

        #expect(late.isClosed)
        #expect(late.take() == [])
    }
}
