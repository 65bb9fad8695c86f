import MQTT
import Store

/// PUBLISH on its way to the client.
extension Connection {
    /// The client's Maximum Packet Size allows it [MQTT-3.1.2-24]; what it doesn't counts as delivered.
    func canSend(_ message: Message, qos: QoS, member: StreamMember) -> Bool {
        guard maximumPacketSize != .max else { return true }
        let head = head(message, qos: qos, member: member, identifier: 1, isDuplicate: false, now: 0)
        return head.encodedLength(version: version, payloadCount: message.payload.count) <= maximumPacketSize
    }

    func send(
        _ message: Message, qos: QoS, member: StreamMember, identifier: UInt16, isDuplicate: Bool, now: Int64
    ) {
        send(
            head(message, qos: qos, member: member, identifier: identifier, isDuplicate: isDuplicate, now: now),
            message.payload)
    }

    private func head(
        _ message: Message, qos: QoS, member: StreamMember, identifier: UInt16, isDuplicate: Bool, now: Int64
    ) -> PublishHead {
        PublishHead(
            topic: message.topic, qos: qos, isDuplicate: isDuplicate,
            retain: message.retain && member.retainAsPublished, packetIdentifier: identifier,
            properties: version == .v5 ? message.lastingProperties : UnsafeRawBufferPointer(start: nil, count: 0),
            subscriptionIdentifiers: version == .v5 ? member.subscriptionIdentifiers : [],
            messageExpiryInterval: message.remainingExpiry(at: now))
    }

    /// A message on its way to many. False: it is too large for this client.
    func send(
        _ template: inout PublishTemplate, _ publish: PublishView, _ qos: QoS, _ retain: Bool, _ identifier: UInt16,
        _ subscriptionIdentifiers: [UInt32]
    ) -> Bool {
        guard version != .v5 || (subscriptionIdentifiers.isEmpty && subscriberAliases == nil) else {
            return sendForItself(publish, qos, retain, identifier, subscriptionIdentifiers)
        }
        let length = template.encodedLength(version: version, qos: qos)
        guard length <= maximumPacketSize else { return false }
        let room = stream.output.reserve(length)
        let count = template.encode(
            version: version, qos: qos, retain: retain, packetIdentifier: identifier, into: room)
        didWrite(count)
        return true
    }

    /// What only this client gets so: with Subscription Identifiers, or a Topic Alias.
    private func sendForItself(
        _ publish: PublishView, _ qos: QoS, _ retain: Bool, _ identifier: UInt16, _ subscriptionIdentifiers: [UInt32]
    ) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: max(publish.properties.count, 1), alignment: 1) { memory in
            guard let base = memory.baseAddress else { return false }
            let count = publish.copyProperties(into: base)
            let head = PublishHead(
                topic: publish.topic, qos: qos, retain: retain, packetIdentifier: identifier,
                properties: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[..<count]),
                subscriptionIdentifiers: subscriptionIdentifiers,
                messageExpiryInterval: publish.messageExpiryInterval)
            guard head.encodedLength(version: version, payloadCount: publish.payload.count) <= maximumPacketSize else {
                return false
            }
            send(head, publish.payload)
            return true
        }
    }

    private func send(_ head: PublishHead, _ payload: UnsafeRawBufferPointer) {
        var head = head
        let topic = head.topic
        let use = subscriberAliases?.apply(to: &head, payloadCount: payload.count, maximumLength: maximumPacketSize)
        let room = stream.output.reserve(head.encodedLength(version: version, payloadCount: payload.count))
        didWrite(head.encode(version: version, payload: payload, into: room))
        if let use { subscriberAliases?.aliases.used(use, for: topic) }
    }

    /// The client's Topic Alias Maximum (MQTT 5 §3.1.2.11.5).
    func takeAliases(atMost maximum: UInt16) {
        if maximum > 0 { subscriberAliases = SubscriberAliases(maximum) }
    }

    @inline(__always)
    private func didWrite(_ count: Int) {
        stream.output.commit(count)
        broker.figures.messagesSent += 1
        broker.figures.publishesSent += 1
        broker.figures.bytesSent += UInt64(count)
        broker.loop.touch(stream)
    }
}
