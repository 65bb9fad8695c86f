import Broker
import EventLoop
import MQTT
import Store
import Testing

@testable import Admin

/// The documents of docs/running.md, word by word, from a real broker and store.
@Suite final class EndpointTests {
    private let directory = TemporaryDirectory()

    @Test func statusOfAFreshNode() throws {
        let node = try Node(directory.path)
        node.pass(.seconds(90))
        node.writtenBytes = 9000

        let text = try node.get("/status")

        let start =
            #"{"node":"edge-1","version":"9.9","uptime_seconds":90,"connections":0,"sessions":0,"subscriptions":0,"#
            + #""retained":0,"twins":0,"messages_received":0,"messages_sent":0,"dropped":0,"#
            + #""queued":{"messages":0,"bytes":0,"oldest_seconds":null},"store":{"bytes":"#
        #expect(text.hasPrefix(start))
        #expect(
            text.contains(
                #","budget_bytes":1073741824,"memory_bytes":0,"written_bytes_per_day":8640000,"#
                    + #""evicted_messages":0,"expired_messages":0}"#))
        #expect(text.hasSuffix(#""uplinks":[],"warnings":[]}"# + "\n"))
    }

    @Test func statusListsSharedSubscriptions() throws {
        let node = try Node(directory.path)
        let worker = try node.client("worker", filter: "$share/g/plant/#")
        defer { worker.stream.close() }

        let text = try node.get("/status")

        let group = #"{"filter":"$share/g/plant/#","members":1,"connected":1,"queued_messages":0,"#
        #expect(text.contains(#""subscriptions":1,"#))
        #expect(text.contains(#""shared_subscriptions":["# + group), "\(text)")
    }

    @Test func nothingIsSaidOfADayInTheFirstMinute() throws {
        let node = try Node(directory.path)
        node.pass(.seconds(59))

        #expect(try node.get("/status").contains(#""written_bytes_per_day":null"#))
    }

    @Test func ourOwnTopicsAreNobodysRetainedMessages() throws {
        let node = try Node(directory.path)
        node.broker.publishSystemTopics()
        node.publish("plant/1", Array("x".utf8), retain: true)

        #expect(try node.get("/status").contains(#""retained":1,"#))
    }

    @Test func backlogIsShownWithItsAge() throws {
        let node = try Node(directory.path, routes: [("cloud/plant", "plant/#"), ("cloud/a/+/b", "a/+/b")])
        node.publish("plant/1", "first")
        node.pass(.seconds(10))
        node.publish("plant/2", "second")
        node.pass(.milliseconds(2500))

        let bytes = node.queues[0].bytes
        #expect(bytes > 0)
        #expect(
            try node.get("/queue")
                == #"[{"uplink":"cloud","route":"plant","priority":"high","messages":2,"bytes":\#(bytes),"#
                + #""budget_bytes":null,"at_budget":false,"oldest_seconds":12.5,"refused":0,"orphaned":false,"lost":{},"holding":null},"#
                + #"{"uplink":"cloud","route":"a/+/b","priority":"high","messages":0,"bytes":0,"#
                + #""budget_bytes":null,"at_budget":false,"oldest_seconds":null,"refused":0,"orphaned":false,"lost":{},"holding":null}]"#
                + "\n")
        #expect(
            try node.get("/status").contains(
                #""queued":{"messages":2,"bytes":\#(bytes),"oldest_seconds":12.5}"#))
    }

    @Test func peekShowsTextAndBytesAndMovesNothing() throws {
        let node = try Node(directory.path)
        let received = node.bench.clock.wallMilliseconds
        node.publish("plant/1", "21.5 °C")
        node.publish("plant/2", [0xFF, 0x00], qos: .atMostOnce)
        node.publish("plant/3", "third")

        let text = try node.get("/queue/cloud%2Fplant/peek?count=2")

        let first =
            #"{"number":1,"topic":"plant/1","qos":1,"payload":"21.5 °C","encoding":"utf-8","received_at":\#(received)}"#
        let second =
            #"{"number":2,"topic":"plant/2","qos":0,"payload":"/wA=","encoding":"base64","received_at":\#(received)}"#
        #expect(text == "[\(first),\(second)]\n")
        #expect(try node.get("/queue/cloud/plant/peek").contains("third"))
        #expect(node.queues[0].messages == 3)
        #expect(node.queues[0].unsentMessages == 3)
    }

    @Test(arguments: ["0", "-1", "x", "10001", ""])
    func peekRefusesOddCounts(_ count: String) throws {
        let node = try Node(directory.path)

        #expect(try node.bench.ask("GET", "/queue/cloud%2Fplant/peek?count=\(count)").status == 400)
    }

    @Test func peekReadsWhatIsOnDiskAlone() throws {
        let node = try Node(directory.path, options: LogOptions(memoryBytes: 100_000))
        let payload = String(repeating: "x", count: 50_000)
        for number in 1...60 { node.publish("plant/\(number)", payload) }
        node.pass(.seconds(5))
        #expect(node.log.meter.bytes < 200_000)

        let text = try node.get("/queue/cloud%2Fplant/peek?count=40")

        #expect(text.utf8.count(of: #""number":"#) == 40)
        #expect(text.contains(#""number":1,"topic":"plant/1""#))
        #expect(text.contains(#""number":40,"topic":"plant/40""#))
    }

    /// In memory a refused message is gone; on disk it may still be there.
    @Test(arguments: [1 << 20, 1000])
    func peekLeavesOutWhatWillNeverBeSent(_ memoryBytes: Int) throws {
        let node = try Node(directory.path, options: LogOptions(memoryBytes: memoryBytes))
        for number in 1...3 { node.publish("plant/\(number)", String(repeating: "x", count: 2000)) }
        node.pass(.milliseconds(500))
        #expect((node.log.meter.bytes < 1000) == (memoryBytes == 1000))
        node.queues[0].refuse(node.queues[0].stream.numbering, number: 2)

        let text = try node.get("/queue/cloud%2Fplant/peek?count=2")

        #expect(text.contains("plant/1") && text.contains("plant/3") && !text.contains("plant/2"))
        #expect(try node.get("/queue").contains(#""refused":1,"orphaned":false,"lost":{"refused":1},"holding":null}"#))
        #expect(try node.get("/status").contains("the far end has refused 1 message of cloud/plant"))
    }

    @Test func dropThrowsAwayAndTheGapIsKnown() throws {
        let node = try Node(directory.path)
        for number in 1...5 { node.publish("plant/\(number)", "x") }

        let answer = try node.bench.ask("POST", "/queue/cloud%2Fplant/drop")

        #expect(answer.status == 200)
        #expect(answer.body == "{\"ok\":true}\n")
        #expect(node.queues[0].messages == 0)
        #expect(node.queues[0].gaps.map(\.reason) == [.dropped])
        #expect(node.lines.contains { $0.contains("5 messages dropped") })
    }

    @Test func aBacklogWithoutItsRouteIsOrphanedUntilDropped() throws {
        do {
            let node = try Node(directory.path)
            for number in 1...3 { node.publish("plant/\(number)", "left behind") }
            node.stop()
        }
        do {
            let node = try Node(directory.path, routes: [])
            node.pass(.seconds(60))
            let queue = try node.get("/queue")
            #expect(queue.contains(#""uplink":"cloud","route":"plant","priority":"high","messages":3,"#))
            #expect(queue.contains(#""refused":0,"orphaned":true,"lost":{},"holding":null}]"#))
            #expect(
                try node.get("/status").contains(
                    "3 messages for cloud/plant, which is no longer configured (roost queue 'cloud/plant' drop)"))
            #expect(try node.get("/queue/cloud%2Fplant/peek").utf8.count(of: "left behind") == 3)
            #expect(try node.bench.ask("POST", "/queue/cloud%2Fplant/drop").status == 200)
            #expect(try node.get("/queue") == "[]\n")
            node.stop()
        }
        let node = try Node(directory.path)
        #expect(node.queues[0].messages == 0)
        #expect(node.queues[0].gaps.contains { $0.reason == .dropped && $0.first == 1 && $0.last == 3 })
        node.stop()
    }

    @Test func clientsConnectedAndAway() throws {
        let node = try Node(directory.path)
        let sensor = try node.client("sensor/7", filter: "a/#")
        _ = try node.client("b", filter: "b", version: .v311)
        node.pass(.seconds(3))
        let address = try #require(node.broker.sessions[Array("sensor/7".utf8)]?.connection?.peer)
        let known =
            #"{"id":"sensor/7","user":"operator","address":"\#(address)","version":"5","connected":true,"#
            + #""since_seconds":3,"clean":false,"subscriptions":1,"queued_messages":0,"queued_bytes":0,"inflight":0}"#

        let all = try node.get("/clients")
        #expect(all.hasPrefix(#"[{"id":"b","user":"operator","#) && all.hasSuffix(",\(known)]\n"))
        #expect(all.contains(#""version":"3.1.1""#))
        #expect(try node.get("/clients/sensor%2F7") == known + "\n")

        sensor.stream.close()
        node.pass(.seconds(5))
        node.publish("a/1", "waits")
        let away = try node.get("/clients/sensor/7")
        #expect(away.contains(#""address":null,"version":null,"connected":false,"since_seconds":5,"clean":null"#))
        #expect(away.contains(#""queued_messages":1,"#))
    }

    @Test func kickingAndEndingASession() throws {
        let node = try Node(directory.path)
        let sensor = try node.client("sensor/7", filter: "a/#")

        #expect(try node.bench.ask("POST", "/clients/nobody/kick").status == 404)
        #expect(try node.bench.ask("POST", "/clients/sensor%2F7/kick").status == 200)
        #expect(sensor.isClosed)
        let again = try node.bench.ask("POST", "/clients/sensor%2F7/kick")
        #expect(again.status == 409)
        #expect(again.body == "{\"error\":\"sensor/7 is not connected\"}\n")
        #expect(try node.get("/clients").contains("sensor/7"))
        #expect(try node.bench.ask("DELETE", "/clients/sensor%2F7").status == 200)
        #expect(try node.get("/clients") == "[]\n")
        #expect(try node.bench.ask("GET", "/clients/sensor%2F7").status == 404)
    }

    @Test func uplinksAreShownAndTold() throws {
        let node = try Node(directory.path)
        let uplink = FakeUplink("cloud", .connected, since: node.bench.clock.now)
        uplink.report.roundTripMilliseconds = 12.34567
        uplink.report.sentMessages = 7
        uplink.report.sentBytes = 900
        uplink.report.acknowledgedMessages = 6
        uplink.report.reconnects = 1
        node.admin.uplinks = [uplink]
        node.pass(.seconds(4))

        #expect(
            try node.get("/uplink")
                == #"[{"name":"cloud","state":"connected","url":"mqtt://cloud.example:1883","error":null,"#
                + #""round_trip_ms":12.346,"sent_messages":7,"sent_bytes":900,"acknowledged_messages":6,"#
                + #""reconnects":1}]"# + "\n")
        #expect(
            try node.get("/status").contains(
                #""uplinks":[{"name":"cloud","state":"connected","url":"mqtt://cloud.example:1883","#
                    + #""since_seconds":4,"error":null}]"#))
        for word in ["flush", "pause", "resume"] {
            #expect(try node.bench.ask("POST", "/uplink/cloud/\(word)").body == "{\"ok\":true}\n")
        }
        #expect(uplink.told == ["flush", "pause", "resume"])
        #expect(try node.bench.ask("POST", "/uplink/cloud/stop").status == 404)
        #expect(try node.bench.ask("POST", "/uplink/other/pause").body.contains("no uplink other. There is: cloud"))
    }

    @Test func logLevelsReloadAndModules() throws {
        let node = try Node(directory.path)

        #expect(try node.bench.ask("POST", "/log/debug").status == 200)
        #expect(node.lines.contains("level debug"))
        #expect(try node.bench.ask("POST", "/log/loud").status == 400)
        #expect(try node.bench.ask("POST", "/reload").body == "{\"ok\":true}\n")
        #expect(try node.get("/modules") == "[]\n")
    }
}

extension Sequence where Element == UInt8 {
    /// How often the text is in it.
    func count(of text: String) -> Int {
        let bytes = Array(self)
        let wanted = Array(text.utf8)
        guard bytes.count >= wanted.count else { return 0 }
        return (0...(bytes.count - wanted.count)).count { bytes[$0...].starts(with: wanted) }
    }
}
