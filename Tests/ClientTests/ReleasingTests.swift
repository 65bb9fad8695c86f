import MQTT
import Testing

@testable import Client

/// QoS 2 for an owner that notes each step before the next is taken.
@Suite struct ReleasingTests {
    private func rig(sessionPresent: Bool = false) throws -> Rig {
        let rig = try Rig {
            $0.cleanStart = false
            $0.automaticRelease = false
        }
        rig.server.connack = Connack(sessionPresent: sessionPresent)
        return rig
    }

    private static func pubrel(_ identifier: UInt8) -> [UInt8] { [0x62, 2, 0, identifier] }

    @Test func pubrelWaitsForTheOwner() throws {
        let rig = try rig()
        rig.connect()
        #expect(rig.client.reserveIdentifier(in: 5...6) == 5)
        #expect(rig.publish("a", qos: .exactlyOnce, identifier: 5) == 5)
        rig.server.received = []

        rig.serverSends(acknowledgement(.pubrec, 5) + acknowledgement(.pubrec, 5))
        #expect(rig.server.received == [])
        #expect(rig.record.take() == ["connected", "may release 5"], "once")
        #expect(rig.publish("a", qos: .exactlyOnce, identifier: 5) == nil, "[MQTT-4.3.3-6]")
        rig.client.release(5)
        rig.client.release(5)
        rig.settle()
        rig.serverSends(acknowledgement(.pubcomp, 5))

        #expect(rig.server.received == [Self.pubrel(5)])
        #expect(rig.record.take() == ["acknowledged 5 success"])
        #expect(rig.client.unacknowledged == 0)
    }

    @Test func identifiersAreTakenInTurnAndOnce() throws {
        let rig = try rig(sessionPresent: true)

        #expect((0..<3).map { _ in rig.client.reserveIdentifier(in: 1...2) } == [1, 2, nil])
        rig.client.giveUpIdentifier(1)
        #expect(rig.client.reserveIdentifier(in: 1...2) == 1)
        rig.connect()
        #expect(rig.publish("a", qos: .atLeastOnce) == 3, "others go round them")
    }

    @Test func aReleaseWithoutAConnectionGoesWithTheNext() throws {
        let rig = try rig()
        rig.connect()
        _ = rig.client.reserveIdentifier(in: 1...9)
        _ = rig.publish("a", qos: .exactlyOnce, identifier: 1)
        rig.serverSends(acknowledgement(.pubrec, 1))
        rig.server.stream?.close()
        rig.settle()
        rig.client.release(1)

        rig.reconnect(sessionPresent: true)

        #expect(rig.server.received == [Self.pubrel(1)])
        #expect(rig.client.room == 65_534)
        rig.serverSends(acknowledgement(.pubcomp, 1))
        #expect(rig.client.room == 65_535)
    }

    @Test func whatIsRestoredGoesOn() throws {
        let rig = try rig(sessionPresent: true)
        rig.client.restoreIdentifier(7, isReleased: true)
        rig.client.restoreIdentifier(8)
        rig.client.restoreIdentifier(8, isReleased: true)
        rig.connect()
        #expect(rig.server.received == [Self.pubrel(7)])

        rig.serverSends(acknowledgement(.pubrec, 8))
        #expect(rig.record.take() == ["connected, session present"], "it was not published here")
        #expect(rig.publish("b", qos: .exactlyOnce, identifier: 8) == 8)
        rig.serverSends(acknowledgement(.pubrec, 8) + acknowledgement(.pubcomp, 7))

        #expect(rig.record.take() == ["may release 8", "acknowledged 7 success"])
    }

    @Test func withoutASessionNothingIsLeft() throws {
        let rig = try rig()
        rig.client.restoreIdentifier(7, isReleased: true)
        rig.client.restoreIdentifier(8)

        rig.connect()

        #expect(rig.client.unacknowledged == 0)
        #expect(rig.server.received == [])
        #expect(rig.record.take() == ["connected"])
    }
}
