import EventLoop
import Testing

extension EndToEndTests {
    /// Limits by rate, with mosquitto's publisher and bare connections.
    @Suite(.enabled(if: Programs.mosquittoPub != nil, "needs mosquitto-clients"))
    struct LimitsTests {
        @Test(arguments: ["0", "1", "2"]) func mosquittoIsHeldToTheRateAndLosesNothing(qos: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario, "[limits]\npublish_rate = 20\n")
            try roostd.start()
            let subscriber = try scenario.subscribe(
                ["-t", "t", "-q", "2", "-C", "60"], to: roostd.port, name: "subscriber")
            let lines = (1...60).map { "\($0)" }
            let input = try scenario.directory.write("lines", lines.joined(separator: "\n") + "\n")
            let start = ContinuousClock.now

            try scenario.run(
                "/bin/sh",
                [
                    "-c", "exec \"$@\" <\(input)", "sh", Programs.mosquittoPub ?? "", "-p", "\(roostd.port)", "-t", "t",
                    "-l", "-q", qos,
                ], name: "publisher")
            try scenario.finish(subscriber)

            // It tells of its packets too.
            #expect(subscriber.output.split(separator: "\n").filter { Int($0) != nil } == lines.map { $0[...] })
            // A second's worth at once, and the other forty at twenty a second. QoS 0 has no acknowledgement to wait for.
            if qos != "0" { #expect(ContinuousClock.now - start >= .milliseconds(1950)) }
            #expect(roostd.log.split(separator: "\n").filter { $0.contains("limits.publish_rate") }.count == 1)
        }

        /// The address is the client's, also behind a proxy.
        @Test func anAddressConnectsNoMoreOftenThanItMay() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let roostd = try Roostd(
                scenario,
                WebSocketTests.listener(
                    port, "anonymous = \"always\"\nproxy_protocol = 1\n[listener.limits]\nconnect_rate = 1"))
            try roostd.start()
            func connect(from address: String) throws -> RawPeer {
                let peer = RawPeer(scenario, to: .tcp(host: "127.0.0.1", port: port))
                try scenario.wait("the connection") { peer.isConnected }
                peer.send(Array("PROXY TCP4 \(address) 127.0.0.1 5 6\r\n".utf8))
                peer.send([0x10, 0x0D, 0, 4, 0x4D, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, address.utf8.last ?? 0])
                try scenario.wait("an answer to \(address)") { peer.received.count >= 4 || peer.isClosed }
                return peer
            }

            let one = try connect(from: "192.0.2.1")
            let two = try connect(from: "192.0.2.2")
            // However slow the machine: of many in a row, some come within the same second.
            let again = try (0..<20).map { _ in try connect(from: "192.0.2.1") }

            #expect(one.received == [0x20, 2, 0, 0])
            #expect(two.received == [0x20, 2, 0, 0])
            #expect(again.contains { $0.isClosed && $0.received.isEmpty })
            #expect(roostd.log.contains("192.0.2.1:5: refused, more than 1 connections a second from this address"))
            // Another listener counts for itself.
            for _ in 0..<3 { try scenario.publish(["-t", "t", "-m", "x"], to: roostd.port) }
        }
    }
}
