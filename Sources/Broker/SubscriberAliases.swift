import MQTT

/// The Topic Aliases that a subscriber is given on its connection. An object, so that a client that takes none, as most do,
/// costs a pointer.
final class SubscriberAliases {
    var aliases: OutboundAliases

    /// However many the client takes: each is looked for in all.
    private static let most = 32
    /// Bytes of a topic that is remembered.
    private static let longest = 512

    init(_ maximum: UInt16) { aliases = OutboundAliases(maximum: min(Int(maximum), Self.most)) }

    func apply(to head: inout PublishHead, payloadCount: Int, maximumLength: Int) -> OutboundAliases.Use {
        guard head.topic.count <= Self.longest else { return .none }
        return aliases.apply(to: &head, version: .v5, payloadCount: payloadCount, maximumLength: maximumLength)
    }
}
