import EventLoop
import MQTT
import Testing

extension EndToEndTests {
    /// MQTT over WebSocket: paho, mosquitto and bare sockets at the other end, and our own.
    @Suite struct WebSocketTests {
        static func listener(_ port: UInt16, _ more: String = "") -> String {
            """
            [[listener]]
            bind = "127.0.0.1:\(port)"
            \(more)

            """
        }

        @Test(.enabled(if: Programs.python != nil, "needs a Python with paho-mqtt 2"), arguments: ["3.1.1", "5"])
        func pahoExchangesAndKeepsItsSession(version: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let (plain, secure) = (try Ports.free(), try Ports.free())
            let roostd = try Roostd(
                scenario,
                Self.listener(plain, "transport = \"auto\"")
                    + TLSTests.listener(secure, "") + "\ntransport = \"websocket\"")
            try roostd.start()
            func paho(_ port: UInt16, _ step: String, _ more: String...) throws {
                try scenario.run(
                    Programs.python ?? "python3", [PahoTests.script, "\(port)", version, step] + more,
                    name: "paho-\(step)")
            }
            let authority = TLSTests.certificate("authority.pem")

            try paho(plain, "exchange", "websockets")
            try paho(plain, "exchange", "tcp")
            try paho(secure, "exchange", "websockets", authority)
            try paho(secure, "leave", "websockets", authority)
            roostd.kill()
            try roostd.start()
            try paho(plain, "return", "websockets")

            #expect(try roostd.stop() == 0)
        }

        @Test(.enabled(if: Programs.python != nil, "needs Python"), arguments: ["websocket", "auto"])
        func framesRightAndWrongAreAnswered(transport: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let roostd = try Roostd(
                scenario,
                Self.listener(port, "transport = \"\(transport)\"\nlimits = { connect_timeout = \"2s\" }"))
            try roostd.start()

            try scenario.run(
                Programs.python ?? "python3",
                [Programs.package + "/Tests/EndToEnd/Scripts/raw_websocket.py", "\(port)", "2"], name: "raw")

            #expect(roostd.log.contains("violates (127.0.0.1:"))
            #expect(roostd.log.contains("WebSocket: a client's frame is not masked"))
            #expect(try roostd.stop() == 0)
        }

        @Test(.enabled(if: Programs.mosquittoPub != nil, "needs mosquitto-clients"))
        func strangersAreNamedOnce() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let roostd = try Roostd(scenario, Self.listener(port, "transport = \"websocket\""))
            try roostd.start()

            for _ in 0..<3 { _ = try? scenario.publish(["-t", "x", "-m", "plain"], to: port) }

            let lines = roostd.log.split(separator: "\n").filter { $0.contains("this is MQTT, and the listener") }
            #expect(lines.count == 1)
        }

        @Test func roostsCommandsSpeakWebSocket() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let (plain, secure) = (try Ports.free(), try Ports.free())
            let roostd = try Roostd(
                scenario,
                Self.listener(plain, "transport = \"websocket\"") + TLSTests.listener(secure, "")
                    + "\ntransport = \"auto\"")
            try roostd.start()
            let trust = ["--cafile", TLSTests.certificate("authority.pem")]

            for url in [["ws://localhost:\(plain)"], ["wss://localhost:\(secure)/any/path?x=y"] + trust] {
                let large = try scenario.directory.write("large", String(repeating: "0123456789", count: 30_000))
                try scenario.run(
                    Programs.roost, ["pub", "--url"] + url + ["-t", "a", "-f", large, "-r", "-q", "2"])
                let text = try scenario.run(Programs.roost, ["sub", "--url"] + url + ["-t", "a", "-C", "1"])
                #expect(text.utf8.count >= 300_000)
            }
            // A port where something else listens.
            for (url, reason) in [
                ("ws://localhost:\(roostd.port)", "during the handshake"), ("wss://localhost:\(plain)", "TLS: "),
            ] {
                let child = try scenario.spawn(
                    Programs.roost, ["pub", "--url", url, "-t", "a", "-m", "x", "-q", "1"], name: "refused")
                #expect(try scenario.finish(child) == 3)
                #expect(child.errors.contains(reason), "\(child.errors)")
            }
        }

        @Test func anUplinkOverWSSLosesNothingOverCuts() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let cloud = try Roostd(
                scenario, name: "cloud",
                TLSTests.listener(port, "") + "\ntransport = \"websocket\"\n[ingest]\nenabled = true")
            let relay = try Relay(scenario, to: .tcp(host: "127.0.0.1", port: port))
            let node = try Roostd(
                scenario, name: "node",
                """
                [[uplink]]
                name = "cloud"
                urls = ["wss://localhost:\(relay.port)/roost"]
                reconnect = { min = "50ms", max = "500ms" }
                tls = { ca = "\(TLSTests.certificate("authority.pem"))" }
                [[uplink.route]]
                filter = "load/#"
                """)
            try cloud.start()
            try node.start()
            let subscriber = LoadSubscriber(scenario, to: cloud)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }
            var publishers = (0..<3).map { LoadPublisher(scenario, $0, count: 2000, to: node.endpoint) }
            let total = publishers.reduce(0) { $0 + $1.count }

            var cuts = 0
            try scenario.wait("\(total) messages to be acknowledged") {
                // Each connection is cut but once, and the last one not at all.
                if cuts < 5, relay.accepted > cuts, subscriber.uniqueCount >= (cuts + 1) * total / 7 {
                    cuts += 1
                    relay.cut()
                }
                return publishers.allSatisfy(\.isDone) && cuts == 5
            }
            publishers.append(LoadPublisher(scenario, publishers.count, count: 12, to: node.endpoint))
            try scenario.waitForAll(of: publishers, at: subscriber)

            let ledger = Ledger(publishers, subscriber)
            scenario.note(ledger.summary)
            try scenario.require(ledger.isKept && relay.accepted >= 6, ledger.summary)
            let test = try scenario.run(
                Programs.roost, ["uplink", "test", "cloud", "--socket", node.data + "/admin.sock"])
            #expect(test.contains("TLSv1.3") && test.contains("open a WebSocket at /roost"), "\(test)")
        }

        @Test(.enabled(if: Programs.mosquitto != nil && Programs.mosquittoSub != nil, "needs mosquitto"))
        func aMosquittoIsAnUpstreamOverWebSocket() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mosquitto = try Mosquitto(scenario, speaksWebSocket: true)
            let node = try Roostd(
                scenario, name: "node",
                """
                [[uplink]]
                name = "cloud"
                urls = ["ws://127.0.0.1:\(mosquitto.webSocketPort)"]
                reconnect = { min = "50ms", max = "500ms" }
                [[uplink.route]]
                filter = "load/#"
                mode = "each"
                """)
            try mosquitto.start()
            try node.start()
            let subscriber = LoadSubscriber(scenario, highest: .atLeastOnce, to: mosquitto.endpoint)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }
            var publishers = (0..<2).map { LoadPublisher(scenario, $0, count: 1000, to: node.endpoint) }
            try scenario.wait("half of it") { subscriber.uniqueCount >= 1000 }
            try mosquitto.stop()
            try mosquitto.start()

            try scenario.wait("all to be acknowledged") { publishers.allSatisfy(\.isDone) }
            publishers.append(LoadPublisher(scenario, publishers.count, count: 12, to: node.endpoint))
            try scenario.waitForAll(of: publishers, at: subscriber)
            let ledger = Ledger(publishers, subscriber)
            try scenario.require(
                ledger.missing.isEmpty && ledger.outOfOrder.isEmpty && ledger.complaints.isEmpty, ledger.summary)
        }

        /// What an upstream answers in HTTP is what `roost uplink` says.
        @Test(arguments: [
            ("HTTP/1.1 404 Not Found\r\n\r\n", "the server has nothing at /there (404 Not Found)"),
            (
                "HTTP/1.1 301 Moved Permanently\r\nLocation: https://new.example/there\r\n\r\n",
                "redirects to https://new.example/there (301 Moved Permanently), which is not followed"
            ),
        ])
        func anHTTPStatusIsPutInWords(answer: String, words: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let server = Answerer(answer)
            let listener = try scenario.network.listen(.tcp(host: "127.0.0.1", port: 0)) { server.take($0) }
            let node = try Roostd(
                scenario, name: "node",
                """
                [[uplink]]
                name = "cloud"
                urls = ["ws://\(listener.endpoint)/there"]
                [[uplink.route]]
                filter = "#"
                """)
            try node.start()
            try scenario.wait("the line in the log") { node.log.contains(words) }

            let child = try scenario.spawn(
                Programs.roost, ["uplink", "--json", "--socket", node.data + "/admin.sock"], name: "uplink")
            try scenario.finish(child)
            #expect(child.output.contains(words), "\(child.output)")
            listener.close()
        }
    }

    /// Answers every request with the same.
    private final class Answerer: ByteStreamDelegate {
        private let answer: String
        private var streams: [ByteStream] = []

        init(_ answer: String) { self.answer = answer }

        func take(_ stream: ByteStream) {
            stream.delegate = self
            streams.append(stream)
        }

        func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
            stream.write(Array(answer.utf8))
            return bytes.count
        }

        func streamDidClose(_ stream: ByteStream, error: StreamError?) {}
    }
}
