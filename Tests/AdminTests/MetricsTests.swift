import Broker
import EventLoop
import MQTT
import Store
import Testing

@testable import Admin
@testable import Broker

@Suite final class MetricsTests {
    private let directory = TemporaryDirectory()

    /// The text format's grammar, line by line: HELP and TYPE before the samples, each family once, counters named so.
    @Test func everyLineIsWellFormed() throws {
        let node = try Node(directory.path)
        node.admin.uplinks = [FakeUplink("cloud", .connected, since: node.bench.clock.now)]
        node.publish("plant/1", "x")
        let lines = try node.get("/metrics").split(separator: "\n", omittingEmptySubsequences: false)

        var families: [Substring: Substring] = [:]
        var helped: Substring = ""
        #expect(lines.last == "")
        for line in lines.dropLast() {
            let words = line.split(separator: " ")
            if line.hasPrefix("# HELP ") {
                helped = words[2]
                #expect(words.count > 3 && families[helped] == nil, "\(line)")
            } else if line.hasPrefix("# TYPE ") {
                #expect(words.count == 4 && words[2] == helped, "\(line)")
                families[helped] = words[3]
                #expect((words[3] == "counter") == helped.hasSuffix("_total"), "\(line)")
            } else {
                let name = line.prefix { $0 != "{" && $0 != " " }
                #expect(name == helped && families[name] != nil && name.hasPrefix("roost_"), "\(line)")
                #expect(words.last.flatMap { Double($0) } != nil, "\(line)")
            }
        }
        #expect(families.count > 40)
    }

    @Test(arguments: [
        #"roost_build_info{version="9.9",node="edge-1"} 1"#,
        "roost_connections 1", "roost_sessions 1", "roost_subscriptions 1", "roost_retained_messages 0",
        "roost_connects_accepted_total 1", "roost_packets_received_total 2", "roost_messages_sent_total 1",
        #"roost_queue_messages{uplink="cloud",route="plant",priority="high"} 1"#,
        #"roost_queue_oldest_seconds{uplink="cloud",route="plant",priority="high"} 90"#,
        #"roost_uplink_up{uplink="cloud"} 0"#, #"roost_uplink_state{uplink="cloud",state="waiting"} 1"#,
        #"roost_uplink_state{uplink="cloud",state="connected"} 0"#,
        #"roost_uplink_sent_messages_total{uplink="cloud"} 7"#, "roost_disk_written_bytes_total 4096",
        "roost_authentication_failures_total 0", "roost_publishes_denied_total 0",
        "roost_subscriptions_denied_total 0", "roost_messages_withheld_total 0",
        "roost_store_evicted_messages_total 0", "roost_clock_set 1", "roost_uptime_seconds 90",
    ])
    func tellsWhatHappened(_ line: String) throws {
        let node = try Node(directory.path)
        let uplink = FakeUplink("cloud", .waiting, since: node.bench.clock.now)
        uplink.report.sentMessages = 7
        node.admin.uplinks = [uplink]
        node.writtenBytes = 4096
        let sensor = try node.client("sensor", filter: "plant/#")
        defer { sensor.stream.close() }
        node.publish("plant/1", "x")
        node.pass(.seconds(90))

        let text = try node.get("/metrics")

        #expect(text.contains("\n\(line)\n"), "\(text)")
    }

    // MARK: - $SYS

    private func systemTopics(of node: Node) -> [String: String] {
        var values: [String: String] = [:]
        node.broker.retained.match(Array("$SYS/#".utf8)) { message in
            values[String(decoding: message.topic, as: UTF8.self)] = String(decoding: message.payload, as: UTF8.self)
        }
        return values
    }

    @Test func uplinksInTheSystemTopics() throws {
        let node = try Node(directory.path)
        var isUp = false
        node.broker.systemTopics.uplinks = { [("cloud", isUp)] }
        node.publish("plant/1", "x")
        node.pass(.seconds(7))
        node.broker.publishSystemTopics()

        let down = systemTopics(of: node)
        #expect(down["$SYS/broker/uplink/cloud/state"] == "0")
        #expect(down["$SYS/broker/uplink/cloud/queued/messages"] == "1")
        #expect(down["$SYS/broker/uplink/cloud/queued/bytes"] == "\(node.queues[0].bytes)")
        #expect(down["$SYS/broker/uplink/cloud/oldest/seconds"] == "7")
        isUp = true
        node.broker.publishUplinkTopics()
        #expect(systemTopics(of: node)["$SYS/broker/uplink/cloud/state"] == "1")
    }

    /// What will never arrive is told everywhere by the same numbers.
    @Test func lostMessagesAreCountedAlikeEverywhere() throws {
        let node = try Node(directory.path)
        for number in 1...3 { node.publish("plant/\(number)", "x") }
        node.broker.systemTopics.uplinks = { [("cloud", false)] }
        node.queues[0].refuse(node.queues[0].stream.numbering, number: 2)
        node.queues[0].dropAll()
        node.broker.publishSystemTopics()

        let queue = try node.get("/queue")
        let metrics = try node.get("/metrics")

        // One number was a gap before all was dropped: it counts for the first reason alone.
        let labels = #"uplink="cloud",route="plant",priority="high",reason="#
        #expect(queue.contains(#""lost":{"dropped":2,"refused":1}"#), "\(queue)")
        #expect(metrics.contains("roost_queue_lost_messages_total{\(labels)\"dropped\"} 2"), "\(metrics)")
        #expect(metrics.contains("roost_queue_lost_messages_total{\(labels)\"refused\"} 1"))
        #expect(systemTopics(of: node)["$SYS/broker/uplink/cloud/lost/messages"] == "3")
    }

    @Test func evictedMessagesAreLost() throws {
        let node = try Node(directory.path)
        for number in 1...5 { node.publish("plant/\(number)", "x") }
        let removal = Removal(
            stream: node.queues[0].stream.record.id, first: 1, last: 3, bytes: 0, reason: .evicted, from: 0, to: 0)
        node.log.handle(.expired([removal], usedBytes: 0))

        #expect(try node.get("/queue").contains(#""messages":2,"#))
        #expect(try node.get("/queue").contains(#""lost":{"evicted":3}"#))
    }

    @Test func onlyNewsIsPublished() throws {
        let node = try Node(directory.path)
        node.broker.publishSystemTopics()
        let bored = try node.client("bored", filter: "$SYS/broker/version")
        let busy = try node.client("busy", filter: "$SYS/broker/uptime")
        #expect(bored.take().contains("roost") && busy.take().contains("0 seconds"))
        node.pass(.seconds(10))
        node.broker.publishSystemTopics()
        node.pass()

        #expect(bored.text == "")
        #expect(busy.text.contains("10 seconds"))
    }

    @Test func loadsAreWhatMosquittoWouldSay() {
        var loads = LoadAverages()
        func value(_ name: String) -> String? { loads.topics.first { $0.name == name }?.value }
        loads.update([("messages/received", 1000)], at: Instant(milliseconds: 0))
        #expect(value("messages/received/1min") == "0.00")

        // 100 in ten seconds are 600 a minute: 600 * (1 - e^(-10/60)) and so on.
        loads.update([("messages/received", 1100)], at: Instant(milliseconds: 10_000))
        #expect(value("messages/received/1min") == "92.11")
        #expect(value("messages/received/5min") == "19.67")
        #expect(value("messages/received/15min") == "6.63")
        for tick in 2...400 {
            loads.update(
                [("messages/received", 1000 + UInt64(tick) * 100)], at: Instant(milliseconds: Int64(tick) * 10_000))
        }
        #expect(value("messages/received/1min") == "600.00")
        for tick in 401...406 {
            loads.update([("messages/received", 41_000)], at: Instant(milliseconds: Int64(tick) * 10_000))
        }
        #expect(value("messages/received/1min") == "220.73")
    }

    @Test(arguments: [(0.0, "0.00"), (0.004, "0.00"), (0.005, "0.01"), (1.999, "2.00"), (12.3, "12.30"), (-1, "0.00")])
    func hundredths(_ value: Double, _ text: String) {
        #expect(LoadAverages.hundredths(value) == text)
    }
}
