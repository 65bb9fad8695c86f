import EventLoop
import MQTT
import Testing

@testable import Client

@Suite struct ConnectionTests {
    @Test func connectSaysWhatTheOptionsSay() throws {
        let rig = try Rig {
            $0.cleanStart = false
            $0.sessionExpiryInterval = 3600
            $0.keepAlive = 30
            $0.username = Array("u".utf8)
            $0.password = [0, 255]
            $0.receiveMaximum = 10
            $0.maximumPacketSize = 1000
            $0.topicAliasMaximum = 5
            $0.userProperties = [UserProperty("k", "v")]
            $0.will = Will(topic: Array("w".utf8), payload: Array("gone".utf8))
        }

        rig.connect()

        let connect = try #require(rig.server.connect)
        #expect(connect.version == .v5)
        #expect(!connect.cleanStart)
        #expect(connect.clientIdentifier == Array("c".utf8))
        #expect(connect.sessionExpiryInterval == 3600)
        #expect(connect.keepAlive == 30)
        #expect(connect.username == Array("u".utf8))
        #expect(connect.password == [0, 255])
        #expect(connect.receiveMaximum == 10)
        #expect(connect.maximumPacketSize == 1000)
        #expect(connect.topicAliasMaximum == 5)
        #expect(connect.userProperties == [UserProperty("k", "v")])
        #expect(connect.will?.topic == Array("w".utf8))
        #expect(rig.record.take() == ["connected"])
        #expect(rig.client.isConnected)
    }

    @Test(arguments: [ProtocolVersion.v311, .v5])
    func disconnectLeavesBehindWhatWasPublished(version: ProtocolVersion) throws {
        let rig = try Rig { $0.version = version }
        rig.connect()
        _ = rig.client.publish(topic: "t", payload: [1])
        rig.client.disconnect()
        rig.settle()

        #expect(rig.server.received.map { $0[0] } == [0x30, 0xE0])
        rig.server.stream?.close()
        rig.settle()
        #expect(rig.record.take() == ["connected", "closed: disconnected"])
        #expect(!rig.client.isActive)
    }

    @Test func aServerThatDoesntCloseIsNotWaitedForLong() throws {
        let rig = try Rig { $0.closeDeadline = .seconds(2) }
        rig.connect()
        rig.client.disconnect()
        rig.pass(.milliseconds(1900))
        #expect(rig.record.take() == ["connected"])

        rig.pass(.milliseconds(200))

        #expect(rig.record.take() == ["closed: disconnected"])
    }

    @Test func disconnectNamesReasonAndExpiry() throws {
        let rig = try Rig()
        rig.connect()
        rig.client.disconnect(reason: .disconnectWithWill, sessionExpiryInterval: 7)
        rig.settle()

        #expect(rig.server.received == [[0xE0, 7, 4, 5, 0x11, 0, 0, 0, 7]])
    }

    @Test(arguments: [
        (ProtocolVersion.v5, [0x20, 3, 0, 0x87, 0] as [UInt8], "not authorized"),
        (.v311, [0x20, 2, 0, 4], "bad user name or password"),
    ])
    func refusalIsNamed(version: ProtocolVersion, connack: [UInt8], reason: String) throws {
        let rig = try Rig { $0.version = version }
        rig.server.connack = nil
        rig.connect()

        rig.serverSends(connack)

        #expect(rig.record.take() == ["refused \(reason)", "closed: refused: \(reason)"])
    }

    @Test func nobodyListens() throws {
        let rig = try Rig()
        rig.client.connect(to: .tcp(host: "elsewhere", port: 1))
        rig.settle()

        #expect(rig.record.take() == ["closed: cannot connect: connection refused: elsewhere:1"])
    }

    @Test func aServerThatSaysNothing() throws {
        let rig = try Rig()
        rig.server.connack = nil
        rig.connect()
        rig.pass(.seconds(11))

        #expect(rig.record.take() == ["closed: connected, but no CONNACK came in time"])
    }

    @Test func everyEndHasItsName() throws {
        let rig = try Rig()
        rig.connect()
        rig.server.stream?.close()
        rig.settle()
        #expect(rig.record.take() == ["connected", "closed: the server closed the connection"])

        rig.connect()
        rig.network.cut(.broken)
        rig.settle()
        #expect(rig.record.take() == ["connected", "closed: connection lost: connection reset by peer"])
        rig.network.restore()

        rig.connect()
        rig.serverSends(Disconnect(reason: .sessionTakenOver).encode(version: .v5))
        #expect(rig.record.take() == ["connected", "closed: the server disconnected us: session taken over"])

        rig.connect()
        rig.client.abort()
        rig.settle()
        #expect(rig.record.take() == ["connected", "closed: disconnected"])
        #expect(rig.server.isClosed)
    }

    @Test func aDelegateMayConnectAgainWhenToldOfTheEnd() throws {
        let rig = try Rig()
        var again = 1
        rig.record.onClose = { client in
            if again > 0 { client.connect(to: rig.endpoint) }
            again -= 1
        }
        rig.connect()
        rig.server.stream?.close()
        rig.settle()

        #expect(rig.record.take() == ["connected", "closed: the server closed the connection", "connected"])
        #expect(rig.client.connectionNumber == 2)
    }

    @Test(
        arguments: [
            ([0x36, 3, 0, 1, 0x74], 0x81),
            ([0xF0, 0], 0x82),
            ([0x10, 0], 0x82),
            ([0xC0, 0], 0x82),
            ([0x90, 4, 0, 9, 0, 0], 0x82),
            (serverPublish("", "x", alias: 1), 0x94),
        ] as [([UInt8], UInt8)])
    func whatBreaksTheProtocolIsAnswered(packet: [UInt8], reason: UInt8) throws {
        let rig = try Rig()
        rig.connect()
        rig.serverSends(packet)

        #expect(rig.server.received == [[0xE0, 2, reason, 0]] || rig.server.received == [[0xE0, 1, reason]])
        #expect(rig.record.lines.last?.hasPrefix("closed: the server broke the protocol") == true)
    }

    @Test("[MQTT-3.2.2-2] Session Present after Clean Start") func sessionAfterCleanStart() throws {
        let rig = try Rig()
        rig.server.connack = Connack(sessionPresent: true)
        rig.connect()

        #expect(rig.record.lines.last?.hasPrefix("closed: the server broke the protocol") == true)
    }

    @Test func enhancedAuthenticationGoesToAndFro() throws {
        let rig = try Rig {
            $0.authenticationMethod = "M"
            $0.authenticationData = [1]
        }
        rig.server.connack = nil
        rig.record.onAuth = { client, auth in client.authenticate((auth.authenticationData ?? []) + [9]) }
        rig.connect()
        #expect(rig.server.connect?.authenticationMethod == "M")
        #expect(rig.server.connect?.authenticationData == [1])

        let challenge = Auth(reason: .continueAuthentication, authenticationMethod: "M", authenticationData: [2])
        rig.serverSends(challenge.encode())
        #expect(rig.server.received == [[0xF0, 11, 0x18, 9, 0x15, 0, 1, 0x4D, 0x16, 0, 2, 2, 9]])

        rig.serverSends(Connack().encode(version: .v5))
        #expect(rig.record.take() == ["connected"])
    }

    @Test func bytesAreCountedOverConnections() throws {
        let rig = try Rig()
        rig.connect()
        let sent = rig.client.bytesSent
        let received = rig.client.bytesReceived
        #expect(sent > 10)
        #expect(received == 5)

        rig.reconnect(sessionPresent: false)

        #expect(rig.client.bytesSent == 2 * sent)
        #expect(rig.client.bytesReceived == 10)
    }
}
