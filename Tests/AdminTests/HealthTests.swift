import Broker
import EventLoop
import MQTT
import Store
import Testing

@testable import Admin

@Suite final class HealthTests {
    private let directory = TemporaryDirectory()
    private static let fine = "{\"status\":\"ok\",\"reasons\":[]}\n"

    @Test func readyOnceEverythingListens() throws {
        let node = try Node(directory.path)

        #expect(try node.get("/health") == Self.fine)
        let early = try node.bench.ask("GET", "/ready")
        #expect(early.status == 503)
        #expect(early.body == "{\"status\":\"degraded\",\"reasons\":[\"not all listeners are up\"]}\n")
        node.admin.isReady = true
        #expect(try node.get("/ready") == Self.fine)
    }

    @Test func aFailingStoreIsNotReadyButServes() throws {
        let node = try Node(directory.path)
        node.admin.isReady = true
        node.log.handle(.failing(.full(path: "/data")))

        #expect(try node.bench.ask("GET", "/ready").status == 503)
        #expect(try node.get("/health").contains("\"degraded\",\"reasons\":[\"the store fails: "))
        #expect(try node.get("/metrics").contains("\nroost_store_failing 1\n"))
        node.log.handle(.recovered)
        #expect(try node.get("/ready") == Self.fine)
    }

    /// A probe without a token learns the state alone.
    @Test func probesNeedNoToken() throws {
        let node = try Node(directory.path, access: .token(Array("secret".utf8)))
        node.log.handle(.failing(.full(path: "/data")))

        #expect(try node.get("/health") == "{\"status\":\"degraded\",\"reasons\":[]}\n")
        #expect(try node.bench.ask("GET", "/ready").status == 503)
        #expect(try node.bench.ask("GET", "/status").status == 401)
        #expect(try node.bench.ask("GET", "/metrics").status == 401)
        #expect(try node.bench.ask("POST", "/reload").status == 401)
    }

    @Test func aLinkIsDownSinceItsFirstFailure() throws {
        let node = try Node(directory.path)
        let uplink = FakeUplink("cloud", .connecting, since: node.bench.clock.now)
        node.admin.uplinks = [uplink]
        node.publish("plant/1", "x")
        node.pass(.seconds(5))
        #expect(try node.get("/health") == Self.fine)

        for _ in 0..<36 {
            uplink.report.state = uplink.report.state == .waiting ? .connecting : .waiting
            uplink.report.since = node.bench.clock.now
            uplink.report.error = "connection refused: cloud.example:1883"
            node.admin.uplinkStateChanged()
            node.pass(.seconds(100))
        }

        let line =
            "uplink cloud to mqtt://cloud.example:1883 has been down for 1 h: connection refused: cloud.example:1883; "
            + "the oldest message has waited 1 h"
        #expect(try node.get("/health") == "{\"status\":\"degraded\",\"reasons\":[\"\(line)\"]}\n")
        #expect(try node.get("/status").contains(#""since_seconds":3605,"error":"connection refused"#))

        uplink.report.state = .connected
        uplink.report.since = node.bench.clock.now
        uplink.report.error = nil
        node.admin.uplinkStateChanged()
        #expect(try node.get("/health") == Self.fine)
    }

    /// One line in the log an episode, which is over once half of the budget is free.
    @Test func aRouteAtItsOwnBudgetIsNamed() throws {
        let node = try Node(directory.path, routeBudget: 100_000)
        var lines: [String] = []
        node.broker.logger = { _, line in lines.append(line) }
        func fill() {
            for _ in 0..<12 {
                node.publish("plant/1", String(repeating: "x", count: 20_000))
                node.pass(.seconds(2))
            }
        }
        let line = "route cloud/plant is at its own budget (uplink.route.budget): it loses its oldest"
        node.publish("plant/1", "x")
        node.pass(.seconds(2))
        #expect(try node.get("/queue").contains(#""budget_bytes":100000,"at_budget":false,"#))
        #expect(try node.get("/health") == Self.fine)

        fill()

        let evicted = try #require(node.queues[0].lost[.evicted])
        #expect(evicted >= 8)
        #expect(
            try node.get("/health") == "{\"status\":\"degraded\",\"reasons\":[\"cloud/plant is at its own budget "
                + "(uplink.route.budget) and loses its oldest: \(evicted) messages evicted since the start\"]}\n")
        #expect(try node.get("/status").contains("cloud/plant is at its own budget"))
        #expect(try node.get("/queue").contains(#""at_budget":true,"#))
        let labels = #"{uplink="cloud",route="plant",priority="high"}"#
        #expect(try node.get("/metrics").contains("\nroost_queue_at_budget\(labels) 1\n"))
        #expect(try node.get("/metrics").contains("\nroost_queue_budget_bytes\(labels) 100000\n"))
        #expect(lines == [line])

        node.queues[0].dropAll()
        #expect(try node.get("/health") == Self.fine)
        #expect(try node.get("/metrics").contains("\nroost_queue_at_budget\(labels) 0\n"))
        fill()
        #expect(lines == [line, line])
    }

    @Test(arguments: [
        (UplinkReport.State.paused, "uplink cloud is paused (roost uplink resume cloud)", false),
        (.noReceiver, "uplink cloud is connected, but nobody there receives batches", true),
    ])
    func statesThatAPersonShouldKnow(_ state: UplinkReport.State, _ text: String, _ isDegrading: Bool) throws {
        let node = try Node(directory.path)
        node.admin.uplinks = [FakeUplink("cloud", state, since: node.bench.clock.now)]

        #expect(try node.get("/status").contains(text))
        #expect(try node.get("/health").contains(text) == isDegrading)
    }

    /// The connection stands, and nothing goes: rights, QoS 0 alone, an upstream that answers nothing.
    @Test func aLinkThatIsUpAndOfNoUseIsDegraded() throws {
        let node = try Node(directory.path)
        let uplink = FakeUplink("cloud", .connected, since: node.bench.clock.now)
        node.admin.uplinks = [uplink]
        uplink.report.error = "the upstream answers: not authorized"
        node.publish("plant/1", "x")
        node.pass(.seconds(5))

        let line =
            "uplink cloud is connected to mqtt://cloud.example:1883, but the upstream answers: not authorized; "
            + "the oldest message has waited 5 s"
        #expect(try node.get("/health") == "{\"status\":\"degraded\",\"reasons\":[\"\(line)\"]}\n")

        uplink.report.error = nil
        uplink.report.unansweredSince = node.bench.clock.now
        node.pass(.seconds(5))
        #expect(try node.get("/health") == Self.fine)
        node.pass(.seconds(5))
        #expect(
            try node.get("/health").contains(
                "uplink cloud is connected to mqtt://cloud.example:1883, but it has acknowledged nothing for 10 s; "))
        uplink.report.unansweredSince = nil
        #expect(try node.get("/health") == Self.fine)
    }

    @Test func sessionsThatLoseMessagesAreNamed() throws {
        var limits = BrokerLimits()
        limits.sessionMessages = 3
        let node = try Node(directory.path, limits: limits)
        try node.client("sleeper", filter: "a/#").stream.close()
        node.pass()
        for number in 1...5 { node.publish("a/\(number)", "x") }

        #expect(try node.get("/health").contains("session sleeper is full and loses messages: 2 so far"))
        #expect(try node.get("/status").contains(#""dropped":2,"#))
        // What a session lost is still counted when it is gone.
        #expect(try node.bench.ask("DELETE", "/clients/sleeper").status == 200)
        #expect(try node.get("/metrics").contains("\nroost_session_lost_messages_total 2\n"))
        #expect(try node.get("/health") == Self.fine)
    }

    @Test func aClockThatIsNotSetIsTold() throws {
        let clock = VirtualClock(wallMilliseconds: 1000, isSynchronised: false)
        let node = try Node(directory.path, clock: clock)
        node.publish("plant/1", "x")

        #expect(try node.get("/status").contains("the clock is not set"))
        #expect(try node.get("/queue/cloud/plant/peek").contains(#""received_at":null"#))
        #expect(try !node.bench.ask("GET", "/status").head.contains("Date:"))
    }

    @Test(arguments: [
        (0.0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (3661, "1 h 1 min"),
        (86_400, "1 d"), (180_000, "2 d 2 h"),
    ])
    func agesInWords(_ seconds: Double, _ words: String) {
        #expect(Admin.words(seconds) == words)
    }
}
