import MQTT
import Testing

@testable import Broker

/// Response Information (MQTT 5 §3.2.2.3.15).
struct ResponseInformationTests {
    @Test(
        arguments: [
            ("reply/{client}", "a", true, "reply/a"), ("reply/{client}/x", "a/b", true, "reply/a/b/x"),
            ("reply", "a", true, "reply"), ("reply/{client}", "a", false, nil), ("", "a", true, nil),
            ("reply/{client}", "a+", true, nil),
        ] as [(String, String, Bool, String?)])
    func isToldToWhoAsks(configured: String, client: String, asks: Bool, told: String?) throws {
        var limits = BrokerLimits()
        limits.responseInformation = configured
        let node = try Node(limits: limits)
        let stranger = try node.open(.v5)

        stranger.send(
            Connect(
                version: .v5, clientIdentifier: Array(client.utf8), requestResponseInformation: asks
            ).encode())
        node.run()
        stranger.takeConnack()

        #expect(try #require(stranger.connack).responseInformation == told)
    }
}
