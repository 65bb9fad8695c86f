import EventLoop
import Testing

extension EndToEndTests {
    /// Listeners behind a proxy that says whose the connections are.
    @Suite(.enabled(if: Programs.python != nil, "needs Python"))
    struct ProxyProtocolTests {
        @Test(arguments: [1, 2])
        func theClientsAddressIsTheHeaders(version: Int) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let (plain, secure) = (try Ports.free(), try Ports.free())
            let roostd = try Roostd(
                scenario,
                WebSocketTests.listener(plain, "anonymous = \"always\"\nproxy_protocol = \(version)")
                    + TLSTests.listener(secure, "")
                    + "\ntransport = \"auto\"\nanonymous = \"always\"\nproxy_protocol = \(version)")
            try roostd.start()

            try scenario.run(
                Programs.python ?? "python3",
                [
                    Programs.package + "/Tests/EndToEnd/Scripts/proxy_header.py", "\(version)", "\(plain)", "\(secure)",
                    TLSTests.certificate("authority.pem"), Programs.roost, roostd.data + "/admin.sock",
                ], name: "proxy")

            #expect(roostd.log.contains("four (192.0.2.7:51234) connected"))
            #expect(roostd.log.contains("secure (192.0.2.9:51234) connected"))
            #expect(roostd.log.split(separator: "\n").filter { $0.contains("PROXY: ") }.count == 1)
            #expect(try roostd.stop() == 0)
        }

        /// Who may come without a login is for the client's address to say, not the proxy's.
        @Test func aStrangerBehindALocalProxyIsNotLocal() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let roostd = try Roostd(
                scenario, WebSocketTests.listener(port, "proxy_protocol = 1"))
            try roostd.start()
            var answers: [[UInt8]] = []
            for client in ["192.0.2.7", "127.0.0.1"] {
                let peer = RawPeer(scenario, to: .tcp(host: "127.0.0.1", port: port))
                try scenario.wait("the connection") { peer.isConnected }
                peer.send(Array("PROXY TCP4 \(client) 127.0.0.1 5 6\r\n".utf8))
                peer.send([0x10, 0x0D, 0, 4, 0x4D, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x61])
                try scenario.wait("CONNACK") { peer.received.count >= 4 }
                answers.append(peer.received)
            }

            #expect(answers == [[0x20, 2, 0, 5], [0x20, 2, 0, 0]])
        }

        /// Connections that say nothing take places, and only for as long as CONNECT may take.
        @Test(arguments: ["proxy_protocol = 2", "transport = \"auto\"", "transport = \"websocket\""])
        func silentConnectionsCountAndEnd(setting: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let roostd = try Roostd(
                scenario,
                WebSocketTests.listener(
                    port, "\(setting)\nmax_connections = 2\nlimits = { connect_timeout = \"5s\" }"))
            try roostd.start()
            let endpoint = Endpoint.tcp(host: "127.0.0.1", port: port)

            let silent = (0..<2).map { _ in RawPeer(scenario, to: endpoint) }
            try scenario.wait("the connections") { silent.allSatisfy(\.isConnected) }
            let third = RawPeer(scenario, to: endpoint)
            try scenario.wait("the third to be refused") { third.isClosed }
            #expect(roostd.log.contains("refused, max_connections reached"))
            try scenario.wait("the silent ones to be closed") { silent.allSatisfy(\.isClosed) }
            let late = RawPeer(scenario, to: endpoint)
            try scenario.wait("room for another") { late.isConnected && !late.isClosed }

            #expect(roostd.log.contains("within the connect timeout"))
            #expect(try roostd.stop() == 0)
        }
    }
}
