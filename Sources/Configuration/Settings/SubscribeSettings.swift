/// One `[[uplink.subscribe]]`: what comes from the cloud.
public struct SubscribeSettings: Sendable, Equatable {
    public var filter = ""
    public var qos = 1
    /// Where the message goes here, with placeholders.
    public var topic = "{topic}"

    public init() {}
}

extension SubscribeSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("filter", &filter, .topicFilter)
        fields.value("qos", &qos, .count(in: 0...2))
        fields.value("topic", &topic, .topicName)
    }
}
