import Testing

@testable import Twin

@Suite struct TwinTopicTests {
    @Test(
        arguments: [
            ("$hw/events/device/sensor-1/twin/get", TwinTopic.Word.get, nil, "sensor-1"),
            ("$hw/events/device/default/sensor-1/twin/update", .update, nil, "default/sensor-1"),
            ("$hw/events/device/a/state/update", .stateUpdate, nil, "a"),
            ("$hw/events/device/a/b/twin/cloud_updated", .cloudUpdated, nil, "a/b"),
            ("$hw/events/device/twin/update/twin/get", .get, nil, "twin/update"),
            ("$hw/events/node/me/membership/get", .membershipGet, nil, ""),
            ("$hw/events/node/other/membership/get", .membershipGet, "other", ""),
            ("$hw/events/node/other/device/a/twin/update", .update, "other", "a"),
            ("$hw/events/node/other/device/a/b/twin/edge_updated", .edgeUpdated, "other", "a/b"),
            ("$hw/events/node/other/device/a/twin/get", .get, "other", "a"),
        ] as [(String, TwinTopic.Word, String?, String)])
    func isUnderstood(topic: String, word: TwinTopic.Word, node: String?, device: String) throws {
        let parsed = try #require(parse(topic))

        #expect(parsed.word == word)
        #expect(parsed.node == node)
        #expect(parsed.device == device)
    }

    @Test(arguments: [
        "$hw/events/device/a/twin/get/result", "$hw/events/device/a/twin/update/delta", "$hw/events/device//twin/get",
        "$hw/events/device/a//twin/get", "$hw/events/device/a/b/c/twin/get", "$hw/events/device/twin/get",
        "$hw/events/device/a/twin/edge_updated", "$hw/events/node/me/device/a/twin/update", "$hw/events/upload/x",
        "$hw/events/node//membership/get", "$hw/events/node/n/device/a/twin/cloud_updated", "$SYS/x", "$hw/events/",
        "$hw/events/connected/a", "plant/a", "",
    ])
    func isNobodysBusiness(topic: String) { #expect(parse(topic) == nil) }

    private func parse(_ topic: String) -> TwinTopic? {
        Array(topic.utf8).withUnsafeBytes { TwinTopic($0, own: "me") }
    }
}
