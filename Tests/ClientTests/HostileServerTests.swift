import EventLoop
import MQTT
import Testing

@testable import Client

/// A Server that sends anything: the client may end the connection, and nothing worse.
@Suite struct HostileServerTests {
    private static let packets: [[UInt8]] = [
        Connack().encode(version: .v5), serverPublish("a", "x"), serverPublish("a", "x", alias: 1),
        serverPublish("", "x", alias: 1), serverPublish("a", "x", qos: .atLeastOnce, identifier: 1),
        serverPublish("a", "x", qos: .exactlyOnce, identifier: 2, duplicate: true), acknowledgement(.puback, 1),
        acknowledgement(.pubrec, 2), acknowledgement(.pubrel, 2), acknowledgement(.pubcomp, 2),
        [0x90, 4, 0, 3, 0, 1], [0xB0, 4, 0, 4, 0, 0], [0xD0, 0], Disconnect(reason: .serverBusy).encode(version: .v5),
    ]

    @Test(arguments: [UInt64(1), 2, 3, 4], [ProtocolVersion.v311, .v5])
    func anythingAtAll(seed: UInt64, version: ProtocolVersion) throws {
        var random = SplitMix64(state: seed)
        let rig = try Rig {
            $0.version = version
            $0.topicAliasMaximum = 3
            $0.cleanStart = false
        }
        var connections = 0
        for _ in 0..<1500 {
            if !rig.client.isActive {
                connections += 1
                rig.connect()
                for qos: QoS in [.atLeastOnce, .exactlyOnce] { _ = rig.publish("p", qos: qos) }
                _ = rig.client.subscribe([Subscription(filter: [0x23], qos: .atLeastOnce)])
            }
            var packet = Self.packets.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                packet[Int.random(in: 0..<packet.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Int.random(in: 0..<8, using: &random) == 0 { packet.removeLast() }
            rig.serverSends(packet)
            // A length that was spoilt has the client wait for the rest for ever.
            if Int.random(in: 0..<40, using: &random) == 0 {
                rig.server.stream?.close()
                rig.settle()
            }
        }
        rig.client.abort()

        let closes = rig.record.lines.filter { $0.hasPrefix("closed") }.count
        #expect(closes == connections)
        #expect(connections > 10)
    }
}
