import MQTT
import Testing

@testable import Broker

/// What a client may not do at the moment at which it does it, and what it is told.
struct ProtocolViolationTests {
    /// An acknowledgement out of turn.
    struct OutOfTurn: CustomTestStringConvertible {
        var qos: QoS
        /// Sent one after the other; the last is wrong.
        var acknowledgements: [PacketType]

        var testDescription: String {
            "QoS \(qos.rawValue): \(acknowledgements.map { "\($0)" }.joined(separator: ", "))"
        }
    }

    private static let outOfTurn = [
        OutOfTurn(qos: .atLeastOnce, acknowledgements: [.pubrec]),
        OutOfTurn(qos: .atLeastOnce, acknowledgements: [.pubcomp]),
        OutOfTurn(qos: .exactlyOnce, acknowledgements: [.puback]),
        OutOfTurn(qos: .exactlyOnce, acknowledgements: [.pubcomp]),
        OutOfTurn(qos: .exactlyOnce, acknowledgements: [.pubrec, .puback]),
    ]

    @Test(
        "[MQTT-4.8.0-1] an acknowledgement out of turn ends the connection", arguments: outOfTurn, [nil, UInt32(3600)])
    func acknowledgementsOutOfTurn(_ row: OutOfTurn, expiry: UInt32?) throws {
        for version in [ProtocolVersion.v5, .v311] {
            let node = try Node()
            let client = try node.client("a", version, clean: expiry == nil, expiry: version == .v5 ? expiry : nil)
            client.subscribed("t", .exactlyOnce)
            try node.client("publisher").publish("t", "1", row.qos)
            let identifier = try #require(client.takeDeliveries().first).identifier

            for type in row.acknowledgements {
                #expect(!client.isClosed)
                client.acknowledge(type, identifier)
                node.run()
            }

            let told = client.take().filter { if case .disconnect = $0 { true } else { false } }
            #expect(told == (version == .v5 ? [.disconnect(.protocolError)] : []))
            #expect(client.isClosed)
        }
    }

    @Test("[MQTT-4.3.3-4] PUBREC of an unknown identifier: PUBREL unless it refuses")
    func unknownPubrec() throws {
        let node = try Node()
        let client = try node.client("a")

        client.acknowledge(.pubrec, 7)
        client.acknowledge(.pubrec, 8, .unspecifiedError)

        #expect(
            client.takeAcknowledgements() == [
                Acknowledgement(.pubrel, packetIdentifier: 7, reason: .packetIdentifierNotFound)
            ])
        #expect(!client.isClosed)
    }

    @Test("[MQTT-3.1.2-24] a client without room for CONNACK is closed", arguments: [(UInt32(15), true), (16, false)])
    func tinyMaximumPacketSize(size: UInt32, isClosed: Bool) throws {
        let node = try Node()

        let client = try node.client("a", maximumPacketSize: size)

        #expect(client.isClosed == isClosed)
        #expect((client.connack == nil) == isClosed)
    }

    @Test("[MQTT-3.1.2-24] acknowledgements, too, honour Maximum Packet Size")
    func tinyMaximumPacketSizeLater() throws {
        let node = try Node()
        let client = try node.client("a", maximumPacketSize: 18)

        client.subscribe(.to("a"), .to("b"), .to("c"))
        client.subscribe(
            .to("a"), .to("b"), .to("c"), .to("d"), .to("e"), .to("f"), .to("g"), .to("h"), .to("i"), .to("j"),
            .to("k"),
            .to("l"), .to("m"), .to("n"))

        #expect(
            client.take() == [
                .suback(Suback(packetIdentifier: 1, reasons: Array(repeating: .grantedQoS1, count: 3)))
            ])
        #expect(!client.isClosed)
    }

    @Test("[MQTT-1.5.5-1] a padded Remaining Length of CONNECT, which 3.1.1 allows and MQTT 5 doesn't")
    func paddedConnect() throws {
        let node = try Node()
        let new = try node.open()
        new.send([0x10, 0x8E, 0, 0, 4] + "MQTT".utf8 + [5, 2, 0, 0, 0, 0, 1] + "c".utf8)
        let old = try node.open(.v311)
        old.send([0x10, 0x8D, 0, 0, 4] + "MQTT".utf8 + [4, 2, 0, 0, 0, 1] + "d".utf8)

        #expect(new.take() == [.connack(Connack(reason: .malformedPacket))])
        #expect(old.take() == [.connack(Connack())])
    }
}
