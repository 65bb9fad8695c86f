import JSON
import MQTT
import Store
import Testing

@testable import Twin

/// What devices and apps say and hear, as docs/twin.md has it from KubeEdge.
@Suite struct TwinUpdateTests {
    @Test func aFirstUpdateMakesTheDeviceAndItsProperties() throws {
        let twins = try Twins()

        let said = try twins.say(
            "device/sensor-1/twin/update",
            #"{"event_id":"e2","timestamp":1,"twin":{"temperature":{"actual":{"value":"21.5"},"#
                + #""metadata":{"type":"float"}}}}"#
        )

        #expect(
            said.map(\.topic) == [
                "node/pump-7/membership/updated", "device/sensor-1/twin/update/result",
                "device/sensor-1/twin/update/document", "device/sensor-1/twin/edge_updated",
            ])
        #expect(said[0].json["added_devices"] == .array([.object(["id": "sensor-1", "name": "sensor-1"])]))
        #expect(said[0].json["removed_devices"] == .array([]))
        let result = said[1].json
        #expect(result["event_id"] == "e2")
        #expect(result.at("twin.temperature.actual.value") == "21.5")
        #expect(result.at("twin.temperature.actual.metadata.timestamp") == result["timestamp"])
        #expect(result.at("twin.temperature.metadata.type") == "float")
        #expect(result.at("twin.temperature.optional") == .boolean(true))
        #expect(result.at("twin.temperature.actual_version") == nil)
        let document = said[2].json
        #expect(document.at("twin.temperature.last") == .null)
        #expect(document.at("twin.temperature.current.actual.value") == "21.5")
        #expect(
            said[3].json.at("twin.temperature.actual_version") == .object(["cloud": .number(0), "edge": .number(1)]))
        #expect(said[3].json.at("twin.temperature.expected_version.edge") == .number(0))
    }

    @Test(arguments: ["sensor-1", "default/sensor-1"])
    func getAnswersWithTheTwin(device: String) throws {
        let twins = try Twins()
        _ = try twins.update(
            device, #"{"a":{"expected":{"value":"22"}},"b":{"actual":{"value":"x"},"optional":false}}"#)

        let twin = try twins.get(device)

        #expect(twin["event_id"] == "g")
        #expect(twin["version"] == .number(1))
        #expect(twin["twin"]?.names == ["a", "b"])
        #expect(twin.at("twin.a.expected.value") == "22")
        #expect(twin.at("twin.a.actual") == nil)
        #expect(twin.at("twin.a.metadata.type") == "string")
        #expect(twin.at("twin.a.optional") == .boolean(true))
        #expect(twin.at("twin.b.optional") == .boolean(false))
        #expect(twin.at("twin.a.expected_version") == nil)
    }

    @Test func everyAnswerIsAtQoS1AndNotRetained() throws {
        let twins = try Twins()
        twins.app.publish("$hw/events/device/a/twin/update", #"{"twin":{"x":{"expected":{"value":"1"}}}}"#)

        let deliveries = twins.app.takeDeliveries().filter { !$0.topic.hasSuffix("/twin/update") }

        #expect(deliveries.count == 5)
        #expect(deliveries.allSatisfy { $0.qos == .atLeastOnce && !$0.retain })
    }

    @Test func theUpdateItselfReachesItsSubscribersToo() throws {
        let twins = try Twins()
        let other = try twins.node.client("other", acknowledges: true)
        other.subscribed("$hw/events/device/+/twin/update", .exactlyOnce)

        try twins.say("device/a/twin/update", #"{"twin":{}}"#, .exactlyOnce)

        #expect(other.takeMessages() == [#"$hw/events/device/a/twin/update={"twin":{}}/2"#])
    }

    // MARK: Deleting

    @Test func nullDeletesWhatIsOptional() throws {
        let twins = try Twins()
        _ = try twins.update("a", #"{"x":{"actual":{"value":"1"}},"y":{"actual":{"value":"2"},"optional":false}}"#)

        let said = try twins.say("device/a/twin/update", #"{"event_id":"d","twin":{"x":null,"y":null,"never":null}}"#)

        #expect(said[0].json["twin"] == .object(["x": .null]))
        #expect(said[1].json.at("twin.x.last.actual.value") == "1")
        #expect(said[1].json.at("twin.x.current") == .null)
        #expect(said[2].topic == "device/a/twin/edge_updated")
        #expect(said[2].json.at("twin.x.metadata.type") == "deleted")
        #expect(said[2].json.at("twin.x.actual_version.edge") == .number(2))
        #expect(try twins.get("a")["twin"]?.names == ["y"])
        #expect(try twins.update("a", #"{"x":null}"#, event: "again")["twin"] == .object([:]))
    }

    @Test func optionalOnlyGoesFromTrueToFalse() throws {
        let twins = try Twins()
        _ = try twins.update("a", #"{"x":{"actual":{"value":"1"}}}"#)

        #expect(
            try twins.update("a", #"{"x":{"optional":false}}"#, event: "1")["twin"]
                == .object(["x": .object(["optional": .boolean(false)])]))
        #expect(try twins.update("a", #"{"x":{"optional":true}}"#, event: "2")["twin"] == .object([:]))
        #expect(try twins.get("a").at("twin.x.optional") == .boolean(false))
    }

    @Test func theTypeChangesOnlyWhenThePropertyWasDeletedBefore() throws {
        let twins = try Twins()
        _ = try twins.update("a", #"{"x":{"actual":{"value":"1"},"metadata":{"type":"int"}}}"#)

        let kept = try twins.update("a", #"{"x":{"actual":{"value":"2"},"metadata":{"type":"float"}}}"#, event: "1")
        _ = try twins.update("a", #"{"x":null}"#, event: "2")
        let changed = try twins.update(
            "a", #"{"x":{"actual":{"value":"2.5"},"metadata":{"type":"float"}}}"#, event: "3")

        #expect(kept.at("twin.x.metadata.type") == "int")
        #expect(changed.at("twin.x.metadata.type") == "float")
    }

    /// ... and its versions went on meanwhile.
    @Test func aTombstoneKeepsItsVersions() throws {
        let twins = try Twins()
        _ = try twins.update("a", #"{"x":{"actual":{"value":"1"}}}"#, event: "1")
        _ = try twins.update("a", #"{"x":null}"#, event: "2")

        let said = try twins.say("device/a/twin/update", #"{"twin":{"x":{"actual":{"value":"3"}}}}"#)

        #expect(said.last?.json.at("twin.x.actual_version.edge") == .number(3))
        #expect(said.first { $0.topic.hasSuffix("document") }?.json.at("twin.x.last") == .null)
    }

    // MARK: Delta

    @Test func deltaTellsWhatDiffers() throws {
        let twins = try Twins()
        let text =
            #"{"twin":{"x":{"expected":{"value":"22"},"actual":{"value":"21"}},"y":{"expected":{"value":"on"},"#
            + #""actual":{"value":"on"}},"z":{"actual":{"value":"1"}}}}"#

        let said = try twins.say("device/a/twin/update", text)
        let confirmed = try twins.say("device/a/twin/update", #"{"twin":{"x":{"actual":{"value":"22"}}}}"#)

        let delta = try #require(said.first { $0.topic == "device/a/twin/update/delta" }?.json)
        #expect(delta["twin"]?.names == ["x", "y"])
        #expect(delta["delta"] == .object(["x": "22"]))
        #expect(!confirmed.contains { $0.topic.hasSuffix("delta") })
    }

    // MARK: What is refused

    static let refused: [(payload: String, code: String, reason: String?)] = [
        ("", "400", nil), ("nonsense", "400", nil), ("[]", "400", nil), ("{\"twin\":{}", "400", nil),
        ("\u{FF}", "400", nil),
        (#"{"event_id":"e"}"#, "400", "Update twin error, key:twin does not exist"),
        (#"{"event_id":"e","twin":null}"#, "400", "Update twin error, key:twin does not exist"),
        (#"{"event_id":"e","twin":[]}"#, "400", nil), (#"{"event_id":"e","twin":{"x":5}}"#, "400", nil),
        (#"{"event_id":"e","timestamp":"now","twin":{}}"#, "400", nil), (#"{"event_id":5,"twin":{}}"#, "400", nil),
        (#"{"event_id":"e","twin":{"x y":{"actual":{"value":"1"}}}}"#, "400", nil),
        (#"{"event_id":"e","twin":{"":{"actual":{"value":"1"}}}}"#, "400", nil),
        (#"{"event_id":"e","twin":{"x":{"actual":{"value":"two words"}}}}"#, "400", nil),
        (#"{"event_id":"e","twin":{"x":{"actual":{"value":["1"]}}}}"#, "400", nil),
        (#"{"event_id":"e","twin":{"x":{"actual":{}}}}"#, "400", nil),
        (#"{"event_id":"e","twin":{"x":{"actual":"1"}}}"#, "400", nil),
        (#"{"event_id":"e","twin":{"x":{"optional":"yes"}}}"#, "400", nil),
        (#"{"event_id":"e","twin":{"x":{"metadata":{"type":"colour"}}}}"#, "400", "the value type is not allowed"),
        (#"{"event_id":"e","twin":{"x":{"metadata":{"type":"deleted"}}}}"#, "400", "the value type is not allowed"),
        (
            #"{"event_id":"e","twin":{"x":{"actual":{"value":"a"},"metadata":{"type":"float"}}}}"#, "400",
            "the value is not float"
        ),
        (
            #"{"event_id":"e","twin":{"x":{"actual":{"value":"a"},"metadata":{"type":"int"}}}}"#, "400",
            "the value is not int or integer"
        ),
        (
            #"{"event_id":"e","twin":{"x":{"actual":{"value":"a"},"metadata":{"type":"boolean"}}}}"#, "400",
            "the bool value must be true or false"
        ),
        (#"{"event_id":"e","version":7,"twin":{"x":{"actual":{"value":"1"}}}}"#, "409", nil),
        (#"{"event_id":"e","version":"7","twin":{}}"#, "400", nil),
    ]

    /// With a good property beside the bad one: all, or nothing.
    @Test(arguments: refused.indices)
    func isRefusedAsAWhole(index: Int) throws {
        let (payload, code, reason) = Self.refused[index]
        let twins = try Twins()
        let withGood = payload.replacing("\"twin\":{\"x", with: "\"twin\":{\"good\":{\"actual\":{\"value\":\"1\"}},\"x")

        let said = try twins.say("device/a/twin/update", withGood)

        #expect(said.map(\.topic) == ["device/a/twin/update/result"])
        #expect(said.first?.json["code"]?.text == code)
        if let reason { #expect(said.first?.json["reason"]?.text == reason) }
        #expect(said.first?.json["timestamp"] != nil)
        #expect(twins.state.count == 0)
        #expect(twins.state.names.names.isEmpty)
    }

    @Test func aDeviceThatIsThereStaysAsItIsWhenAnUpdateIsRefused() throws {
        let twins = try Twins()
        _ = try twins.update(
            "a", #"{"x":{"actual":{"value":"1"},"metadata":{"type":"int"}},"y":{"actual":{"value":"1"}}}"#)
        let before = try twins.get("a")["twin"]

        let refusal = try twins.update(
            "a", #"{"x":{"actual":{"value":"warm"}},"y":{"actual":{"value":"2"}}}"#, event: "e9")

        #expect(refusal["event_id"] == "e9")
        #expect(refusal["code"] == .number(400))
        #expect(try twins.get("a")["twin"] == before)
    }

    @Test func aDeviceHasAThousandPropertiesAtMost() throws {
        let twins = try Twins()
        func many(_ range: Range<Int>) -> String {
            "{" + range.map { "\"p\($0)\":{\"actual\":{\"value\":\"1\"}}" }.joined(separator: ",") + "}"
        }

        #expect(try twins.update("a", many(0..<600), event: "1")["code"] == nil)
        #expect(try twins.update("a", many(600..<1100), event: "2")["code"] == .number(400))
        #expect(try twins.update("b", many(0..<1001), event: "3")["code"] == .number(400))
        #expect(try twins.get("a")["twin"]?.names.count == 600)
    }

    @Test func anUnknownDeviceIs404() throws {
        var options = TwinOptions()
        options.autoCreate = false
        let twins = try Twins(options: options)

        let got = try twins.get("ghost")

        #expect(got["code"] == .number(404))
        #expect(got["reason"] == "Device ghost not found while getting twin")
        #expect(got["event_id"] == "g")
        #expect(try twins.update("ghost", "{}")["code"] == .number(404))
        #expect(try twins.say("device/ghost/state/update", #"{"state":"online"}"#).first?.json["code"] == .number(404))
        #expect(try twins.say("device/ghost/twin/get", "nonsense").first?.json["code"] == .number(400))
    }

    @Test func thereAreNoMoreDevicesThanAllowed() throws {
        var options = TwinOptions()
        options.maximumDevices = 2
        let twins = try Twins(options: options)

        for device in ["a", "b"] { #expect(try twins.update(device, "{}")["code"] == nil) }
        #expect(try twins.update("c", "{}")["code"] == .number(500))
        #expect(try twins.update("a", #"{"x":{"actual":{"value":"1"}}}"#, event: "2")["code"] == nil)
    }

    // MARK: Beyond KubeEdge

    @Test func aLostAnswerIsGivenAgain() throws {
        let twins = try Twins()
        let text = #"{"event_id":"e1","timestamp":1,"twin":{"x":{"actual":{"value":"1"}}}}"#
        let first = try twins.say("device/a/twin/update", text)
        _ = try twins.update("a", #"{"y":{"actual":{"value":"1"}}}"#, event: "e2")

        let second = try twins.say("device/a/twin/update", text)

        #expect(second.count == 1)
        #expect(second[0].json == first.first { $0.topic.hasSuffix("/update/result") }?.json)
        #expect(try twins.get("a")["version"] == .number(2))
    }

    @Test func aLostAnswerIsGivenAgainAfterARestart() throws {
        let twins = try Twins()
        let text = #"{"event_id":"e1","timestamp":1,"twin":{"x":{"actual":{"value":"1"}}}}"#
        let first = try twins.say("device/a/twin/update", text)
        try twins.restart()

        let second = try twins.say("device/a/twin/update", text)

        #expect(second.map(\.topic) == ["device/a/twin/update/result"])
        #expect(second[0].json["twin"] == first.first { $0.topic.hasSuffix("/update/result") }?.json["twin"])
        #expect(try twins.get("a")["version"] == .number(1))
    }

    /// There are devices that know but one.
    @Test func anEventIDWithSomethingElseInItIsAnotherEvent() throws {
        let twins = try Twins()

        for value in ["1", "2", "1"] {
            _ = try twins.update("a", "{\"x\":{\"actual\":{\"value\":\"\(value)\"}}}", event: "same")
            #expect(try twins.value("a", "x") == value)
        }
        for _ in 0..<2 { try twins.say("device/a/twin/update", #"{"twin":{"x":{"actual":{"value":"5"}}}}"#) }
        #expect(try twins.get("a")["version"] == .number(5))
    }

    @Test func anUpdateForAnotherVersionIsAConflict() throws {
        let twins = try Twins()
        _ = try twins.update("a", #"{"x":{"actual":{"value":"1"}}}"#, event: "1")
        let version = try #require(try twins.get("a")["version"]?.text)

        let taken = try twins.update(
            "a", #"{"x":{"expected":{"value":"2"}}}"#, event: "2", more: ",\"version\":\(version)")
        let late = try twins.update(
            "a", #"{"x":{"expected":{"value":"3"}}}"#, event: "3", more: ",\"version\":\(version)")

        #expect(taken["version"] == .number(2))
        #expect(late["code"] == .number(409))
        #expect(late["version"] == .number(2))
        #expect(try twins.value("a", "x", "expected") == "2")
    }

    @Test(arguments: [
        ("21.5", "float", "21.5"), ("5", "int", "5"), ("5.0", "int", "5"), ("1.5E+3", "float", "1.5E3"),
        ("true", "boolean", "true"), ("false", "string", "false"), ("9007199254740993", "integer", "9007199254740993"),
    ])
    func numbersAndBooleansBecomeStrings(json: String, type: String, stored: String) throws {
        let twins = try Twins()

        let result = try twins.update(
            "a", "{\"x\":{\"actual\":{\"value\":\(json)},\"metadata\":{\"type\":\"\(type)\"}}}")

        #expect(result.at("twin.x.actual.value") == .string(stored))
        #expect(try twins.value("a", "x") == stored)
    }

    @Test func arbitraryTextIsTakenWhereItIsAllowed() throws {
        var options = TwinOptions()
        options.strictValues = false
        let twins = try Twins(options: options)

        _ = try twins.update("a", #"{"x":{"actual":{"value":"ein \"Wort\" für\nalle"}}}"#)

        #expect(try twins.value("a", "x") == "ein \"Wort\" für\nalle")
        let long = String(repeating: "ü", count: 2049)
        #expect(
            try twins.update("a", "{\"x\":{\"actual\":{\"value\":\"\(long)\"}}}", event: "2")["code"] == .number(400))
    }

    // MARK: State and membership

    @Test(arguments: ["online", "OK", "Offline", "unhealthy", "UNKNOWN"])
    func theStateIsTold(state: String) throws {
        let twins = try Twins()
        _ = try twins.update("a/b", "{}")

        let said = try twins.say(
            "device/a/b/state/update", "{\"event_id\":\"s\",\"timestamp\":1,\"state\":\"\(state)\"}")

        #expect(said[0].topic == "device/a/b/state/update/result")
        #expect(said[0].json["event_id"] == "s")
        #expect(said[0].json.at("device.name") == "b")
        #expect(said[0].json.at("device.state") == .string(state))
        let time = said[0].json.at("device.lastOnlineTime")?.text
        #expect((time != nil) == ["online", "ok"].contains(state.lowercased()))
        if let time { #expect(time.count == 20 && time.hasSuffix("Z")) }
    }

    @Test(arguments: [#"{"state":"asleep"}"#, "{}", #"{"state":5}"#, "nonsense"])
    func anUnknownStateIsAnError(payload: String) throws {
        let twins = try Twins()
        _ = try twins.update("a", "{}")

        let said = try twins.say("device/a/state/update", payload)

        #expect(said.map(\.topic) == ["device/a/state/update/result"])
        #expect(said[0].json["code"] == .number(400))
    }

    @Test func theMembershipIsTold() throws {
        let twins = try Twins()
        _ = try twins.update("a", "{}")
        _ = try twins.update("b/c", "{}")
        try twins.say("device/a/state/update", #"{"state":"online"}"#)

        let said = try twins.say("node/pump-7/membership/get", #"{"event_id":"m","timestamp":1}"#)

        #expect(said.map(\.topic) == ["node/pump-7/membership/get/result"])
        #expect(said[0].json["event_id"] == "m")
        guard case .array(let devices)? = said[0].json["devices"] else { throw Unexpected() }
        #expect(devices.map { $0["id"] } == ["a", "b/c"])
        #expect(devices[0]["state"] == "online")
        #expect(devices[0]["last_online"] != nil)
        #expect(try twins.say("node/pump-7/membership/get", "nonsense").first?.json["code"] == .number(400))
    }

    struct Unexpected: Error {}

    @Test func anAdministratorAddsDescribesAndRemoves() throws {
        let twins = try Twins()
        var outcomes: [String] = []
        func note(_ outcome: DeviceTwins.Outcome) {
            switch outcome {
            case .done: outcomes.append("done")
            case .refused(let code, _): outcomes.append("\(code)")
            }
        }
        twins.state.options.autoCreate = false

        twins.state.add(TwinID(device: "a"), [], then: note)
        let added = twins.heard()
        #expect(try twins.update("a", #"{"x":{"actual":{"value":"1"}}}"#)["code"] == nil)
        twins.state.add(TwinID(device: "a"), Array(#"{"attributes":{"maker":"Acme"}}"#.utf8), then: note)
        let described = twins.heard()
        twins.state.remove(TwinID(device: "a"), then: note)
        let removed = twins.heard()
        twins.state.remove(TwinID(device: "a"), then: note)
        twins.state.add(TwinID(device: "a/b/c"), [], then: note)

        #expect(outcomes == ["done", "done", "done", "404", "400"])
        #expect(added.first?.topic == "node/pump-7/membership/updated")
        #expect(described.first?.topic == "device/a/updated")
        #expect(described.first?.json.at("attributes.maker.value") == "Acme")
        guard case .array(let gone)? = removed.first?.json["removed_devices"] else { throw Unexpected() }
        #expect(gone.map { $0["id"] } == ["a"])
        #expect(try twins.get("a")["code"] == .number(404))
        #expect(twins.state.count == 0)
    }

    // MARK: Life cycle of clients

    @Test func clientsComeAndGo() throws {
        let twins = try Twins()
        _ = twins.heard()

        let other = try twins.node.client("other")
        let came = twins.heard()
        other.drop()
        let left = twins.heard()

        #expect(came.map(\.topic) == ["connected/other"])
        #expect(came[0].json["event_type"] == "connected")
        #expect(left.map(\.topic) == ["disconnected/other"])
    }

    // MARK: Who may write

    @Test(arguments: [
        ("device/a/twin/get/result", true), ("device/a/b/twin/update/result", true),
        ("device/a/twin/update/delta", true),
        ("device/a/twin/update/document", true), ("device/a/b/twin/edge_updated", true),
        ("device/a/state/update/result", true), ("device/a/updated", true), ("device/a/b/updated", true),
        ("node/n/membership/get/result", true), ("node/n/membership/updated", true), ("connected/c", true),
        ("disconnected/c", true), ("node/n/device/a/twin/get/result", true),
        ("node/n/device/a/b/twin/update/delta", true),
        ("device/a/twin/update", false), ("device/a/b/twin/get", false), ("device/a/twin/cloud_updated", false),
        ("node/n/membership/get", false), ("node/n/device/a/twin/edge_updated", false), ("upload/a/updated", false),
        ("node/n/device/a/b/twin/update", false), ("device/a/state/update", false),
    ])
    func answersAreTheNodesAlone(topic: String, isReserved: Bool) throws {
        let twins = try Twins()
        let client = try twins.node.client("forger")

        client.publish("$hw/events/\(topic)", "{}", .atLeastOnce)

        #expect(client.takeAcknowledgements().map(\.reason) == [isReserved ? .notAuthorized : .success])
    }
}

extension JSON: ExpressibleByStringLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
}
