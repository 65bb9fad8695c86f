import Client
import EventLoop
import Glibc
import MQTT
import Testing

extension EndToEndTests {
    /// `roost store export` on one node, `roost store import` into another.
    @Suite struct StoreImportTests {
        /// Writes down all that a message brings.
        private final class Recorder: MQTTClientDelegate {
            private let client: MQTTClient
            private(set) var isSubscribed = false
            private(set) var messages: [String] = []

            init(_ scenario: Scenario, to endpoint: Endpoint) {
                var options = MQTTClient.Options()
                options.clientIdentifier = Array("recorder".utf8)
                client = MQTTClient(loop: scenario.loop, network: scenario.network, options: options)
                client.delegate = self
                client.connect(to: endpoint)
            }

            func client(_ client: MQTTClient, didConnect connack: Connack) {
                var subscription = Subscription(filter: Array("load/#".utf8), qos: .exactlyOnce)
                subscription.retainAsPublished = true
                _ = client.subscribe([subscription])
            }

            func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
                isSubscribed = true
            }

            func client(_ client: MQTTClient, didReceive publish: PublishView) {
                var line = "\(String(decoding: publish.topic, as: UTF8.self)) q\(publish.qos.rawValue)"
                line += " r\(publish.retain ? 1 : 0) \(String(decoding: publish.payload, as: UTF8.self))"
                for property in PropertyReader(publish.properties) {
                    switch property.value {
                    case .pair(let name, let value):
                        let text = name.elementsEqual("t".utf8) ? "TIME" : String(decoding: value, as: UTF8.self)
                        line += " \(String(decoding: name, as: UTF8.self))=\(text)"
                    case .string(let value): line += " \(property.identifier)=\(String(decoding: value, as: UTF8.self))"
                    default: break
                    }
                }
                messages.append(line)
            }

            func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {}
            func client(_ client: MQTTClient, didClose error: MQTTClientError) {}
        }

        /// A node whose link is down: all waits. Stopped again, and what waits written to a file.
        private func exported(_ scenario: Scenario, _ publish: (Roostd) throws -> Void) throws -> String {
            let node = try Roostd(
                scenario, name: "pump-7",
                """
                [[uplink]]
                name = "cloud"
                urls = ["mqtt://127.0.0.1:\(try Ports.free())"]
                [[uplink.route]]
                name = "load"
                filter = "load/#"
                """)
            try node.start()
            try publish(node)
            try node.stop()
            let file = scenario.directory.path(of: "backlog.lz4")
            try scenario.run(Programs.roost, ["store", "export", "--data", node.data, "-o", file], name: "export")
            return file
        }

        @Test func messagesComeOutAsTheyWentIn() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let file = try exported(scenario) { node in
                for words in [
                    ["-t", "load/a", "-m", "0", "-q", "0"], ["-t", "load/a", "-m", "1", "-q", "1"],
                    ["-t", "load/b", "-m", "2", "-q", "2", "-r"],
                    ["-t", "load/ü", "-m", "3", "-q", "1", "-D", "publish", "user-property", "unit", "°C"],
                    ["-t", "load/a", "-m", "4", "-q", "1", "-D", "publish", "content-type", "text/plain"],
                ] { try scenario.run(Programs.roost, ["pub", "-p", "\(node.port)"] + words, name: "pub") }
            }
            let other = try Roostd(scenario, name: "other")
            try other.start()
            let recorder = Recorder(scenario, to: other.endpoint)
            try scenario.wait("SUBACK") { recorder.isSubscribed }

            let report = try scenario.run(
                Programs.roost, ["store", "import", "-p", "\(other.port)", "--json", file], name: "import")

            #expect(
                report
                    == """
                    {"acknowledged":5,"batches":\(Self.number("batches", in: report)),"expired":0,"messages":5,"next":5,"ok":true,\
                    "refused":0,"skipped":0}

                    """)
            try scenario.wait("five messages") { recorder.messages.count >= 5 }
            #expect(
                recorder.messages == [
                    "load/a q1 r0 0 t=TIME via=pump-7", "load/a q1 r0 1 t=TIME via=pump-7",
                    "load/b q2 r1 2 t=TIME via=pump-7", "load/ü q1 r0 3 unit=°C t=TIME via=pump-7",
                    "load/a q1 r0 4 contentType=text/plain t=TIME via=pump-7",
                ])

            // The same through a pipe, from the third on, with nothing retained.
            let piped = try scenario.run(
                "/bin/sh",
                [
                    "-c",
                    "cat '\(file)' | '\(Programs.roost)' store import -p \(other.port) --skip 2 --no-retain -",
                ], name: "piped")
            #expect(piped == "3 messages published and acknowledged, 2 passed over\n")
            try scenario.wait("three more") { recorder.messages.count >= 8 }
            #expect(recorder.messages[5] == "load/b q2 r0 2 t=TIME via=pump-7")
        }

        @Test func whatIsCutOffGoesOnWhereItWas() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let count = 20_000
            let file = try exported(scenario) { node in
                try scenario.run(
                    "/bin/sh", ["-c", "seq \(count) | '\(Programs.roost)' pub -p \(node.port) -t load/a -q 1 -l"],
                    name: "pub")
            }
            let other = try Roostd(scenario, name: "other", "[limits]\ninflight = 20")
            try other.start()
            let keeper = Watcher(scenario, name: "keeper", filter: "load/#", to: other.endpoint)
            try scenario.wait("SUBACK") { keeper.isSubscribed }

            // Given an import that loses its broker.
            let cut = try scenario.spawn(
                Programs.roost, ["store", "import", "-p", "\(other.port)", file], name: "cut")
            try scenario.wait("some messages") { keeper.received >= 100 }
            other.kill()
            let code = try scenario.finish(cut)
            try other.start()
            let resumed = Watcher(scenario, name: "keeper", filter: "load/#", to: other.endpoint)

            // When it goes on from where it says.
            if code != 0 {
                #expect(code == 3)
                let skip = Self.number("--skip ", in: cut.errors)
                #expect(skip > 0 && skip < count, "\(cut.account)")
                let rest = try scenario.run(
                    Programs.roost, ["store", "import", "-p", "\(other.port)", "--skip", "\(skip)", file], name: "rest")
                #expect(rest.contains("passed over"))
            }

            // Then all is there.
            let all = Set((1...count).map(String.init))
            try scenario.wait("all \(count) messages") { keeper.payloads.union(resumed.payloads).count >= count }
            #expect(keeper.payloads.union(resumed.payloads) == all)
        }

        @Test func nobodyThereIsSaidAsSuch() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let file = try exported(scenario) { node in
                try scenario.run(Programs.roost, ["pub", "-p", "\(node.port)", "-t", "load/a", "-m", "1", "-q", "1"])
            }

            let child = try scenario.spawn(
                Programs.roost, ["store", "import", "-p", "\(try Ports.free())", file], name: "import")

            #expect(try scenario.finish(child) == 3)
            #expect(child.errors.contains("cannot connect"))
        }

        /// The digits behind a word.
        private static func number(_ word: String, in text: String) -> Int {
            guard let range = text.ranges(of: word).first else { return -1 }
            return Int(text[range.upperBound...].drop { !$0.isNumber }.prefix { $0.isNumber }) ?? -1
        }
    }
}
