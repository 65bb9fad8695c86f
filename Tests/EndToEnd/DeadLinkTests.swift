import Client
import EventLoop
import MQTT
import Testing

extension EndToEndTests {
    /// Promise 7 and DESIGN's "a dead link is dead before anyone notices": what was sent into a link that took it and lost
    /// it comes all the same, QoS 0 too.
    @Suite struct DeadLinkTests {
        @Test(arguments: [QoS.atMostOnce, .atLeastOnce])
        func whatADeadLinkSwallowedComesLater(qos: QoS) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let cloud = try Roostd(scenario, name: "cloud", "[ingest]\nenabled = true")
            let relay = try Relay(scenario, to: cloud.endpoint)
            let node = try Roostd(scenario, name: "node", NodeToCloudTests.uplink(toPort: relay.port))
            try cloud.start()
            try node.start()
            let watcher = Watcher(scenario, filter: "load/#", to: cloud.endpoint)
            try scenario.wait("SUBACK") { watcher.isSubscribed }
            let pacer = Pacer(scenario, [qos], to: node.endpoint)

            pacer.allowed = 300
            try scenario.wait("messages over a good link") { watcher.received == 300 }
            relay.mode = .swallowing
            for _ in 0..<30 {
                let sent = pacer.allowed
                pacer.allowed += 10
                // Each ten make a tick of the node, and so a batch or a part of the next.
                try scenario.wait("the node to take ten") { pacer.isIdle && pacer.sent == sent + 10 }
            }
            relay.cut()
            relay.mode = .forwarding
            pacer.allowed = 900

            try scenario.wait("all 900; see how many came") { watcher.payloads.count >= 900 }
            #expect(watcher.received == 900)
            #expect(relay.accepted >= 2)
            #expect(cloud.runs == 1 && node.runs == 1)
        }
    }
}
