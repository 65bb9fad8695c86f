import MQTT
import Store

/// Makes one PUBLISH of one message, for any MQTT Server: the topic mapped, what is left of its expiry, and, where the route
/// stamps, the time of receipt.
struct SinglePacket: ~Copyable {
    private let queue: RouteQueue
    private let options: RouteOptions
    private let context: SendingContext
    private let storeTime: () -> Int64
    private let mapping: TopicMapping
    /// What differs from the message.
    private var scratch = RawBytes()

    init(
        queue: RouteQueue, options: RouteOptions, context: SendingContext, storeTime: @escaping () -> Int64
    ) throws(UplinkError) {
        self.queue = queue
        self.options = options
        self.context = context
        self.storeTime = storeTime
        mapping = try options.mapping(for: context.options)
    }

    /// The packet without its payload, valid until the next, and the whole packet's length.
    mutating func prepare(_ queued: QueuedMessage, qos: QoS) -> (head: PublishHead, length: Int) {
        let message = queued.message
        scratch.removeAll()
        let isVersion5 = context.options.version == .v5
        let propertyRoom = isVersion5 ? message.properties.count + 64 : 0
        _ = scratch.reserve(mapping.mappedLength(message.topic) + propertyRoom)
        var head = PublishHead(topic: mapped(message.topic), qos: qos)
        head.retain = message.retain && context.client.server?.retainAvailable != false
        if head.qos != .atMostOnce { head.packetIdentifier = 1 }
        if isVersion5 { head.properties = properties(of: queued) }
        let length = head.encodedLength(version: context.options.version, payloadCount: message.payload.count)
        return (head, length)
    }

    /// Whether the Server takes a packet of that length.
    func fits(_ prepared: (head: PublishHead, length: Int)) -> Bool {
        prepared.length <= context.client.maximumOutboundPacket && prepared.head.topic.count <= 0xFFFF
    }

    /// The Server can't take the message: it is set aside.
    func setAside(_ queued: QueuedMessage) {
        context.notice(
            "large \(queue.name)",
            "route \(queue.name): message \(queued.number) is larger than the upstream takes; it is set aside")
        queue.refuse(queued.numbering, number: queued.number, reason: .packetTooLarge)
    }

    private mutating func mapped(_ topic: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard !mapping.isIdentity else { return topic }
        let start = scratch.reserve(mapping.mappedLength(topic))
        let end = mapping.write(topic, to: start)
        scratch.commit(end - start)
        return UnsafeRawBufferPointer(start: start, count: end - start)
    }

    private mutating func properties(of queued: QueuedMessage) -> UnsafeRawBufferPointer {
        let properties = queued.message.properties
        let expiry = queued.message.remainingExpiry(at: storeTime())
        guard options.stamp || expiry != nil else { return properties }
        let start = scratch.reserve(properties.count + 64)
        if let source = properties.baseAddress { start.copyMemory(from: source, byteCount: properties.count) }
        if let expiry, let place = BatchPackets.expiryOffset(properties) {
            (start + place).storeBytes(of: expiry.bigEndian, as: UInt32.self)
        }
        var end = start + properties.count
        if options.stamp {
            let time = queue.wallTime(queued)
            end = BatchPackets.writeTime(WallTime(milliseconds: time.milliseconds, isSet: time.isSet), to: end)
        }
        scratch.commit(end - start)
        return UnsafeRawBufferPointer(start: start, count: end - start)
    }
}
