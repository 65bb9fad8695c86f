import JSON
import MQTT
import Store
import Testing

@testable import Broker
@testable import Twin

/// Edge and cloud, by their messages.
@Suite struct TwinSyncTests {
    // MARK: At the edge

    /// What is stored has {cloud 0, edge 2}; the offer, and whether it is taken.
    @Test(arguments: [
        (#"{"cloud":1,"edge":2}"#, true), (#"{"cloud":0,"edge":2}"#, true), (#"{"cloud":5,"edge":9}"#, true),
        (#"{"cloud":1,"edge":1}"#, false), ("null", false),
    ])
    func aChangeFromTheCloudMustKnowWhatIsHere(version: String, isTaken: Bool) throws {
        let twins = try Twins()
        for value in ["1", "2"] {
            _ = try twins.update("a", "{\"x\":{\"expected\":{\"value\":\"\(value)\"}}}", event: value)
        }

        let said = try twins.say(
            "device/a/twin/cloud_updated",
            "{\"event_id\":\"c\",\"twin\":{\"x\":{\"expected\":{\"value\":\"9\"},"
                + "\"metadata\":{\"type\":\"string\"},\"expected_version\":\(version)}}}"
        )

        #expect(try twins.value("a", "x", "expected") == (isTaken ? "9" : "2"))
        let told = said.first { $0.topic == "device/a/twin/edge_updated" }?.json
        #expect((told == nil) == isTaken)
        guard !isTaken else { return #expect(said.contains { $0.topic == "device/a/twin/update/document" }) }
        #expect(told?.at("twin.x.expected.value") == "2")
        #expect(told?.at("twin.x.expected_version") == .object(["cloud": .number(0), "edge": .number(2)]))
    }

    @Test func whatTheCloudChangedReplacesThePair() throws {
        let twins = try Twins()
        _ = try twins.update("a", #"{"x":{"expected":{"value":"1"}}}"#)
        try twins.say(
            "device/a/twin/cloud_updated",
            #"{"twin":{"x":{"expected":{"value":"2"},"expected_version":{"cloud":4,"edge":1}}}}"#)

        let said = try twins.say("device/a/twin/update", #"{"twin":{"x":{"expected":{"value":"3"}}}}"#)
        let old = try twins.say(
            "device/a/twin/cloud_updated",
            #"{"twin":{"x":{"expected":{"value":"4"},"expected_version":{"cloud":3,"edge":2}}}}"#)

        #expect(said.last?.json.at("twin.x.expected_version") == .object(["cloud": .number(4), "edge": .number(2)]))
        #expect(old.last?.topic == "device/a/twin/edge_updated")
        #expect(try twins.value("a", "x", "expected") == "3")
    }

    @Test func theCloudAddsAndDeletes() throws {
        let twins = try Twins()
        try twins.say(
            "device/a/twin/cloud_updated",
            #"{"twin":{"x":{"expected":{"value":"2"},"metadata":{"type":"int"},"expected_version":{"cloud":1,"#
                + #""edge":0}}}}"#
        )
        #expect(try twins.get("a").at("twin.x.metadata.type") == "int")

        try twins.say(
            "device/a/twin/cloud_updated",
            #"{"twin":{"x":{"metadata":{"type":"deleted"},"expected_version":{"cloud":2,"edge":0}}}}"#)
        #expect(try twins.get("a")["twin"] == .object([:]))

        // What was deleted stays so against what is older.
        try twins.say(
            "device/a/twin/cloud_updated",
            #"{"twin":{"x":{"expected":{"value":"2"},"expected_version":{"cloud":1,"edge":0}}}}"#)
        #expect(try twins.get("a")["twin"] == .object([:]))
    }

    @Test func anOldChangeDoesNotBringBackWhatWasDeletedHere() throws {
        let twins = try Twins()
        _ = try twins.update("a", #"{"x":{"expected":{"value":"1"}}}"#, event: "1")
        _ = try twins.update("a", #"{"x":null}"#, event: "2")

        let said = try twins.say(
            "device/a/twin/cloud_updated",
            #"{"twin":{"x":{"expected":{"value":"2"},"expected_version":{"cloud":1,"edge":1}}}}"#)

        #expect(try twins.get("a")["twin"] == .object([:]))
        #expect(said.last?.json.at("twin.x.metadata.type") == "deleted")
    }

    @Test(arguments: [
        "nonsense", "{}", #"{"twin":{"x":{"expected_version":{"cloud":-1}}}}"#,
        #"{"twin":{"x":{"expected_version":5}}}"#,
    ])
    func nonsenseFromTheCloudIsRefused(payload: String) throws {
        let twins = try Twins()

        let said = try twins.say("device/a/twin/cloud_updated", payload)

        #expect(said.map(\.topic) == ["device/a/twin/update/result"])
        #expect(said[0].json["code"] == .number(400))
        #expect(twins.state.count == 0)
    }

    // MARK: While the link is down

    @Test func whatChangedMeanwhileGoesOnceAsItIsThen() throws {
        var isUp = false
        let twins = try Twins(mayAnnounce: { isUp })
        for value in 1...50 {
            try twins.say("device/a/twin/update", "{\"twin\":{\"x\":{\"actual\":{\"value\":\"\(value)\"}}}}")
        }
        _ = try twins.update("a", #"{"y":{"actual":{"value":"1"}}}"#)
        try twins.say("device/b/state/update", #"{"state":"online"}"#)
        #expect(twins.state.pendingCount == 2)
        twins.node.advance(by: .seconds(5))
        #expect(!twins.heard().contains { $0.topic.hasSuffix("edge_updated") })
        try twins.restart()
        #expect(twins.state.pendingCount == 2)

        isUp = true
        twins.node.advance(by: .seconds(5))

        let said = twins.heard().filter { $0.topic.hasSuffix("edge_updated") }
        #expect(said.map(\.topic).sorted() == ["device/a/twin/edge_updated", "device/b/twin/edge_updated"])
        let told = try #require(said.first { $0.topic.hasPrefix("device/a") }?.json)
        #expect(told["twin"]?.names == ["x", "y"])
        #expect(told.at("twin.x.actual.value") == "50")
        #expect(told.at("twin.x.actual_version.edge") == .number(50))
        #expect(said.first { $0.topic.hasPrefix("device/b") }?.json.at("device.state") == "online")
        #expect(twins.state.pendingCount == 0)
        let live = try twins.say("device/a/twin/update", #"{"twin":{"x":{"actual":{"value":"51"}}}}"#)
        #expect(live.contains { $0.topic.hasSuffix("edge_updated") })
    }

    @Test func aCloudThatKnowsNothingIsToldEverything() throws {
        let twins = try Twins(mayAnnounce: { true })
        for index in 0..<250 { _ = try twins.update("d\(index)", #"{"x":{"actual":{"value":"1"}}}"#) }
        _ = twins.heard()

        twins.state.tellAgain()
        twins.node.advance(by: .seconds(5))

        #expect(Set(twins.heard().map(\.topic)).count == 250)
        twins.node.advance(by: .seconds(5))
        #expect(twins.heard().isEmpty)
    }

    // MARK: At the cloud

    private static let told = "node/pump-7/device/a/twin/edge_updated"

    @Test func theCloudKeepsTwinsOfItsNodes() throws {
        let cloud = try Twins(id: "cloud")

        let said = try cloud.say(
            Self.told,
            #"{"twin":{"x":{"actual":{"value":"7"},"metadata":{"type":"int"},"actual_version":{"cloud":0,"#
                + #""edge":3}}},"device":{"name":"a","state":"online"}}"#
        )
        let got = try cloud.say("node/pump-7/device/a/twin/get", #"{"event_id":"g"}"#)

        #expect(said.map(\.topic) == ["node/pump-7/membership/updated", "node/pump-7/device/a/twin/update/document"])
        #expect(got[0].topic == "node/pump-7/device/a/twin/get/result")
        #expect(got[0].json.at("twin.x.actual.value") == "7")
        #expect(got[0].json.at("twin.x.metadata.type") == "int")
        let members = try cloud.say("node/pump-7/membership/get", "{}")
        #expect(members[0].json["devices"] != .array([]))
        #expect(try cloud.say("node/cloud/membership/get", "{}")[0].json["devices"] == .array([]))
    }

    @Test func anAppAtTheCloudChangesAndTheNodeIsTold() throws {
        let cloud = try Twins(id: "cloud")
        try cloud.say(
            Self.told,
            #"{"twin":{"x":{"actual":{"value":"7"},"expected":{"value":"7"},"actual_version":{"cloud":0,"#
                + #""edge":3},"expected_version":{"cloud":1,"edge":2}}}}"#
        )

        let said = try cloud.say(
            "node/pump-7/device/a/twin/update", #"{"event_id":"u","twin":{"x":{"expected":{"value":"9"}}}}"#)

        #expect(
            said.map(\.topic) == ["result", "document", "delta"].map { "node/pump-7/device/a/twin/update/\($0)" }
                + ["node/pump-7/device/a/twin/cloud_updated"])
        #expect(said[3].json.at("twin.x.expected.value") == "9")
        #expect(said[3].json.at("twin.x.expected_version") == .object(["cloud": .number(2), "edge": .number(2)]))
    }

    @Test func theEdgeHasTheLastWord() throws {
        let cloud = try Twins(id: "cloud")
        func x(_ value: String, _ version: (Int, Int), refused: (Int, Int)? = nil) -> String {
            let more = refused.map { ",\"expected_refused\":{\"cloud\":\($0.0),\"edge\":\($0.1)}" } ?? ""
            return
                "{\"twin\":{\"x\":{\"expected\":{\"value\":\"\(value)\"},"
                + "\"expected_version\":{\"cloud\":\(version.0),\"edge\":\(version.1)}\(more)}}}"
        }
        func expected() throws -> String? {
            try cloud.say("node/pump-7/device/a/twin/get", "{}").first?.json.at("twin.x.expected.value")?.text
        }
        try cloud.say(Self.told, x("1", (0, 1)))
        try cloud.say("node/pump-7/device/a/twin/update", #"{"twin":{"x":{"expected":{"value":"2"}}}}"#)

        // It had not heard of it: it is told again.
        let again = try cloud.say(Self.told, x("1", (0, 1)))
        #expect(again.map(\.topic) == ["node/pump-7/device/a/twin/cloud_updated"])
        #expect(try expected() == "2")
        // It changed the value itself meanwhile.
        try cloud.say(Self.told, x("3", (0, 2)))
        #expect(try expected() == "3")
        // It refused an older change than the last: the last is still on its way.
        try cloud.say("node/pump-7/device/a/twin/update", #"{"twin":{"x":{"expected":{"value":"4"}}}}"#)
        try cloud.say("node/pump-7/device/a/twin/update", #"{"twin":{"x":{"expected":{"value":"5"}}}}"#)
        try cloud.say(Self.told, x("3", (0, 2), refused: (1, 2)))
        #expect(try expected() == "5")
        // It refused the last.
        try cloud.say(Self.told, x("3", (0, 2), refused: (2, 2)))
        #expect(try expected() == "3")
    }

    /// What a batch tells is committed with the batch, and nobody hears of it before.
    @Test func aBatchTellsOfTwins() throws {
        let cloud = try Twins(id: "cloud")
        var isCommitted = false
        cloud.node.store.hold = true
        let told = (1...3).map { number in
            OwnMessage(
                "$hw/events/node/pump-7/device/d\(number)/twin/edge_updated",
                Array(#"{"twin":{"x":{"actual":{"value":"1"},"actual_version":{"cloud":0,"edge":1}}}}"#.utf8))
        }

        let isTaken = Broker.withViews(of: told) { views in
            cloud.node.broker.ingest(views, changes: []) { isCommitted = true }
        }
        #expect(isTaken)
        #expect(cloud.heard().isEmpty && !isCommitted)
        cloud.node.store.hold = false

        #expect(cloud.heard().count { $0.topic.hasSuffix("/twin/update/document") } == 3)
        #expect(isCommitted)
        let commits = cloud.node.log.submittedGroups
        _ = try cloud.say("node/pump-7/device/d2/twin/get", "{}", .atMostOnce)
        #expect(cloud.node.log.submittedGroups == commits)
        try cloud.restart()
        #expect(cloud.state.count == 3)
    }

    @Test func whatIsRemovedThereIsRemovedHere() throws {
        let cloud = try Twins(id: "cloud")
        try cloud.say(Self.told, #"{"twin":{"x":{"actual":{"value":"7"},"actual_version":{"cloud":0,"edge":3}}}}"#)

        let said = try cloud.say(Self.told, #"{"twin":{},"removed":true}"#)

        #expect(said.map(\.topic) == ["node/pump-7/membership/updated"])
        #expect(cloud.state.count == 0)
        try cloud.restart()
        #expect(cloud.state.count == 0)
    }

    /// Two nodes, and messages that come late, in any case in their order, and some twice: in the end both have the same.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func bothConverge(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        var isUp = true
        let edge = try Twins(mayAnnounce: { isUp })
        let cloud = try Twins(id: "cloud")
        var up: [String] = []
        var down: [String] = []
        func collect() {
            for delivery in edge.app.takeDeliveries() where delivery.topic.hasSuffix("edge_updated") {
                up.append(delivery.payload)
            }
            for delivery in cloud.app.takeDeliveries() where delivery.topic.hasSuffix("cloud_updated") {
                down.append(delivery.payload)
            }
        }
        func carry(_ count: Int) {
            for _ in 0..<count {
                collect()
                if !up.isEmpty {
                    let payload = random.chance(10) ? up[0] : up.removeFirst()
                    cloud.app.publish("$hw/events/\(Self.told)", payload, .atLeastOnce)
                }
                if !down.isEmpty {
                    let payload = random.chance(10) ? down[0] : down.removeFirst()
                    edge.app.publish("$hw/events/device/a/twin/cloud_updated", payload, .atLeastOnce)
                }
            }
            collect()
        }
        let names = ["x", "y", "z"]
        func change() -> String {
            let name = names[Int(random.next() % 3)]
            if random.chance(8) { return "{\"twin\":{\"\(name)\":null}}" }
            let side = random.chance(2) ? "expected" : "actual"
            return "{\"twin\":{\"\(name)\":{\"\(side)\":{\"value\":\"\(random.next() % 100)\"}}}}"
        }

        edge.app.publish("$hw/events/device/a/twin/update", change(), .atLeastOnce)
        for _ in 0..<60 {
            switch random.next() % 6 {
            case 0, 1: edge.app.publish("$hw/events/device/a/twin/update", change(), .atLeastOnce)
            case 2: cloud.app.publish("$hw/events/node/pump-7/device/a/twin/update", change(), .atLeastOnce)
            case 3: isUp = !isUp
            case 4: edge.node.advance(by: .seconds(1))
            default: if isUp { carry(Int(random.next() % 4)) }
            }
            collect()
        }
        isUp = true
        for _ in 0..<20 {
            edge.node.advance(by: .seconds(1))
            carry(5)
        }
        while !up.isEmpty || !down.isEmpty { carry(1) }

        let here = try #require(edge.state.load(TwinID(device: "a"))?.device)
        let there = try #require(cloud.state.load(TwinID(node: "pump-7", device: "a"))?.device)
        func told(_ device: Device, _ twins: Twins) -> [String] {
            device.properties.map { property in
                "\(twins.state.names[property.name]) \(property.type.name) \(property.expected.value ?? "-")"
                    + " \(property.expected.version.map { "\($0)" } ?? "-") \(property.actual.value ?? "-")"
                    + " \(property.actual.version.map { "\($0)" } ?? "-")"
            }.sorted()
        }
        #expect(told(here, edge) == told(there, cloud))
    }
}

extension SplitMix64 {
    /// One in so many.
    fileprivate mutating func chance(_ count: UInt64) -> Bool { next() % count == 0 }
}
