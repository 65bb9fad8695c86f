import EventLoop
import MQTT
import Testing

@testable import Client

@Suite struct KeepAliveTests {
    @Test func anIdleConnectionPings() throws {
        let rig = try Rig { $0.keepAlive = 30 }
        rig.connect()
        rig.pass(.seconds(29))
        #expect(rig.server.received.isEmpty)

        rig.pass(.seconds(62))

        #expect(rig.server.received == Array(repeating: [0xC0, 0], count: 3))
        #expect(rig.record.take() == ["connected", "pong", "pong", "pong"])
    }

    @Test("[MQTT-3.2.2-21] Server Keep Alive takes the place of ours") func serverKeepAlive() throws {
        let rig = try Rig { $0.keepAlive = 600 }
        rig.server.connack?.serverKeepAlive = 10
        rig.connect()
        rig.pass(.seconds(35))

        #expect(rig.server.received.count == 3)
    }

    @Test func sendingAloneProvesNothing() throws {
        let rig = try Rig { $0.keepAlive = 10 }
        rig.connect()
        for _ in 0..<25 {
            rig.pass(.seconds(1))
            _ = rig.client.publish(topic: "t", payload: [])
        }

        #expect(rig.server.received.filter { $0 == [0xC0, 0] }.count == 2)
    }

    /// The Server's patience is 1.5 times Keep Alive, whatever ours for an answer.
    @Test func aShortKeepAliveIsKept() throws {
        let rig = try Rig {
            $0.keepAlive = 1
            $0.pingTimeout = .seconds(5)
        }
        rig.connect()
        for _ in 0..<10 { rig.pass(.seconds(1)) }

        #expect((9...10).contains(rig.server.received.count))
    }

    @Test func noKeepAliveNoPing() throws {
        let rig = try Rig { $0.keepAlive = 0 }
        rig.connect()
        rig.pass(.seconds(86_400))

        #expect(rig.server.received.isEmpty)
    }

    @Test func anUnansweredPingIsADoubtThenTheEnd() throws {
        let rig = try Rig {
            $0.keepAlive = 10
            $0.pingTimeout = .seconds(3)
            $0.pingDeadline = .seconds(8)
        }
        rig.connect()
        rig.server.answersPings = false
        rig.pass(.milliseconds(12_900))
        #expect(rig.record.take() == ["connected"])
        rig.pass(.milliseconds(200))
        #expect(rig.record.take() == ["missed ping"])
        rig.pass(.milliseconds(4_800))
        #expect(rig.record.take() == [])

        rig.pass(.milliseconds(200))

        #expect(rig.record.take() == ["closed: the server stopped answering (keep alive)"])
    }

    @Test func bytesThatComeProveTheLink() throws {
        let rig = try Rig { $0.keepAlive = 10 }
        rig.connect()
        rig.server.answersPings = false
        for _ in 0..<60 {
            rig.pass(.seconds(1))
            rig.serverSends(serverPublish("t", ""))
        }
        #expect(rig.client.isConnected)
        #expect(!rig.record.lines.contains("missed ping"))
    }

    @Test func roundTripsAreMeasured() throws {
        let rig = try Rig()
        rig.network.wire.delay = .milliseconds(40)
        rig.client.connect(to: rig.endpoint)
        rig.pass(.seconds(1))
        #expect(rig.client.lastRoundTrip == .milliseconds(80), "of CONNECT")

        rig.network.wire.delay = .milliseconds(30)
        rig.client.abort()
        rig.client.connect(to: rig.endpoint)
        rig.pass(.seconds(1))
        rig.client.ping()
        rig.pass(.seconds(1))
        #expect(rig.client.lastRoundTrip == .milliseconds(60), "of PINGREQ")

        _ = rig.publish("x", qos: .atLeastOnce)
        rig.pass(.milliseconds(100))
        rig.serverSends(acknowledgement(.puback, 1))
        rig.pass(.milliseconds(30))
        #expect(rig.client.lastRoundTrip == .milliseconds(130), "of a PUBLISH")
    }
}
