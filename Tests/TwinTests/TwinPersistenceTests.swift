import JSON
import MQTT
import Store
import Testing

@testable import Twin

/// An acknowledged update is there after any end.
@Suite struct TwinPersistenceTests {
    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func theAcknowledgementComesWithTheCommit(qos: QoS) throws {
        let twins = try Twins()
        let device = try twins.node.client("device")
        twins.node.store.hold = true

        device.publish("$hw/events/device/a/twin/update", #"{"twin":{"x":{"actual":{"value":"1"}}}}"#, qos)
        let answers = { twins.heard().count { $0.topic.hasPrefix("device/") && !$0.topic.hasSuffix("/update") } }
        let before = (device.takeAcknowledgements().count, answers())
        twins.node.store.hold = false
        let acknowledged = device.takeAcknowledgements()

        #expect(before == (0, 0))
        #expect(acknowledged.map(\.reason) == [.success])
        try twins.restart()
        #expect(try twins.value("a", "x") == "1")
    }

    @Test func whatWasNotCommittedWasNotAcknowledged() throws {
        let twins = try Twins()
        _ = try twins.update("a", #"{"x":{"actual":{"value":"1"}}}"#)
        let device = try twins.node.client("device")
        twins.node.store.hold = true
        device.publish("$hw/events/device/a/twin/update", #"{"twin":{"x":{"actual":{"value":"2"}}}}"#, .atLeastOnce)
        #expect(device.takeAcknowledgements().isEmpty)

        try twins.restart()

        #expect(try twins.value("a", "x") == "1")
    }

    /// What is answered rests on nothing that could still be lost.
    @Test func getWaitsForTheUpdateBeforeIt() throws {
        let twins = try Twins()
        let device = try twins.node.client("device")
        twins.node.store.hold = true
        device.publish("$hw/events/device/a/twin/update", #"{"twin":{"x":{"actual":{"value":"1"}}}}"#, .atLeastOnce)
        device.publish("$hw/events/device/a/twin/get", "{}", .atMostOnce)

        #expect(!twins.heard().contains { $0.topic.hasSuffix("/get/result") })
        twins.node.store.hold = false
        let said = twins.heard()
        #expect(said.last { $0.topic.hasSuffix("/result") }?.topic == "device/a/twin/get/result")
    }

    @Test func everythingComesBack() throws {
        let twins = try Twins()
        _ = try twins.update(
            "a/b",
            #"{"x":{"expected":{"value":"2"},"actual":{"value":"1"},"optional":false,"#
                + #""metadata":{"type":"int"}},"y":{"actual":{"value":"z"}}}"#
        )
        _ = try twins.update("a/b", #"{"y":null}"#, event: "2")
        try twins.say("device/a/b/state/update", #"{"state":"online"}"#)
        let before = try (twins.get("a/b")["twin"], twins.get("a/b")["version"])
        let members = try twins.say("node/pump-7/membership/get", "{}").first?.json["devices"]

        try twins.restart()

        #expect(try twins.get("a/b")["twin"] == before.0)
        #expect(try twins.get("a/b")["version"] == before.1)
        #expect(try twins.say("node/pump-7/membership/get", "{}").first?.json["devices"] == members)
        let said = try twins.say("device/a/b/twin/update", #"{"twin":{"y":{"actual":{"value":"again"}}}}"#)
        #expect(said.last?.json.at("twin.y.actual_version.edge") == .number(3))
    }

    @Test func aStoreThatTakesNothingIs500() throws {
        let twins = try Twins()
        _ = try twins.update("a", #"{"x":{"actual":{"value":"1"}}}"#)
        let device = try twins.node.client("device")
        twins.node.disk.isFailing = true
        device.publish("plant/x", "1", .atLeastOnce, retain: true)
        twins.node.run()
        try #require(twins.node.log.isRefusing)

        device.publish(
            "$hw/events/device/a/twin/update", #"{"event_id":"f","twin":{"x":{"actual":{"value":"2"}}}}"#, .atLeastOnce)
        device.publish("$hw/events/device/a/twin/get", "{}", .atMostOnce)

        #expect(device.takeAcknowledgements().map(\.reason).contains(.quotaExceeded))
        let said = twins.heard()
        #expect(said.first { $0.topic.hasSuffix("update/result") }?.json["code"] == .number(500))
        #expect(said.first { $0.topic.hasSuffix("update/result") }?.json["event_id"] == "f")
        #expect(said.first { $0.topic.hasSuffix("get/result") }?.json.at("twin.x.actual.value") == "1")
    }
}
