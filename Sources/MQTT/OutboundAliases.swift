/// The Topic Aliases that we gave on the present connection (MQTT 5 §3.3.2.3.4): a topic that comes again goes as three bytes.
///
/// When all are taken, a topic takes the place of the one that hasn't been used for longest, but only once that has rested:
/// otherwise a client with more topics than aliases would name each one anew, three bytes longer than without.
public struct OutboundAliases: Sendable {
    /// How a PUBLISH is to go.
    public enum Use: Equatable, Sendable {
        /// Without an alias.
        case none
        /// Topic and alias: the receiver learns it.
        case set(UInt16)
        /// The alias alone.
        case known(UInt16)

        public var alias: UInt16 {
            switch self {
            case .none: 0
            case .set(let alias), .known(let alias): alias
            }
        }
    }

    /// PUBLISHes that go by, for each alias that there is, before one that isn't used may be taken away.
    private static let rest: UInt64 = 8
    /// The property's length: no shorter topic is worth one.
    private static let cost = 3

    private var maximum = 0
    /// By alias, less one.
    private var hashes: [UInt64] = []
    private var topics: [[UInt8]] = []
    private var lastUse: [UInt64] = []
    private var published: UInt64 = 0
    /// On this connection.
    public private(set) var areUsed = false

    public init(maximum: Int = 0) { self.maximum = maximum }

    /// A connection begins, or is over: nothing is known to the other side.
    public mutating func reset(maximum: Int) { self = OutboundAliases(maximum: maximum) }

    /// What the next PUBLISH with this topic would use. It counts once `used` says that it was sent.
    public func use(for topic: UnsafeRawBufferPointer) -> Use {
        guard maximum > 0, topic.count > Self.cost else { return .none }
        let hash = topicHash(topic)
        for index in hashes.indices where hashes[index] == hash {
            if topics[index].elementsEqual(topic) { return .known(UInt16(index + 1)) }
        }
        if topics.count < maximum { return .set(UInt16(topics.count + 1)) }
        guard let oldest = lastUse.indices.min(by: { lastUse[$0] < lastUse[$1] }),
            published - lastUse[oldest] > Self.rest * UInt64(maximum)
        else { return .none }
        return .set(UInt16(oldest + 1))
    }

    /// A PUBLISH with this topic was written so.
    public mutating func used(_ use: Use, for topic: UnsafeRawBufferPointer) {
        guard maximum > 0 else { return }
        published += 1
        guard use != .none else { return }
        areUsed = true
        let index = Int(use.alias) - 1
        if case .set = use {
            if index == topics.count {
                hashes.append(0)
                topics.append([])
                lastUse.append(0)
            }
            hashes[index] = topicHash(topic)
            topics[index] = [UInt8](topic)
        }
        lastUse[index] = published
    }

    /// Puts a Topic Alias beside the topic, or in its place. What would be longer than `maximumLength` with both goes without.
    public func apply(
        to head: inout PublishHead, version: ProtocolVersion, payloadCount: Int, maximumLength: Int
    ) -> Use {
        let use = use(for: head.topic)
        guard use != .none else { return use }
        var aliased = head
        aliased.topicAlias = use.alias
        if case .known = use { aliased.topic = UnsafeRawBufferPointer(start: nil, count: 0) }
        guard aliased.encodedLength(version: version, payloadCount: payloadCount) <= maximumLength else { return .none }
        head = aliased
        return use
    }
}
