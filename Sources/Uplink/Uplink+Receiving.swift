import Client
import MQTT

/// What comes from the cloud: subscribed with No Local, published here under its own topic, and acknowledged to the upstream
/// once the broker says that it is safe; the client keeps the acknowledgements in order.
extension Uplink {
    func subscribe() {
        guard !options.subscriptions.isEmpty else { return }
        let isVersion5 = options.version == .v5
        let subscriptions = options.subscriptions.map { subscription in
            Subscription(
                filter: Array(subscription.filter.utf8), qos: subscription.qos, noLocal: isVersion5,
                retainAsPublished: isVersion5, retainHandling: isVersion5 ? .sendIfNew : .send)
        }
        _ = client.subscribe(subscriptions)
    }

    func receive(_ publish: PublishView) {
        let identifier = publish.packetIdentifier
        let qos = publish.qos
        let connection = client.connectionNumber
        let settle = { [weak client] (reason: ReasonCode) in
            client?.acknowledge(identifier: identifier, qos: qos, reason: reason, connection: connection)
            return
        }
        // It was here before: a route carried it up, and it has come back.
        guard !Ingest.names(via, in: publish.properties) else { return settle(.success) }
        var message = publish
        if let mapping = mappings.first(where: { $0.filter.withUnsafeBytes { Self.matches($0, publish.topic) } })?
            .mapping,
            !mapping.isIdentity
        {
            inboundTopic.removeAll()
            let start = inboundTopic.reserve(mapping.mappedLength(publish.topic.count))
            let end = mapping.write(publish.topic, to: start)
            message.topic = UnsafeRawBufferPointer(start: start, count: end - start)
            guard TopicName.isValid(message.topic) else {
                onNotice?("a topic from the upstream grows too long when mapped; it is dropped")
                return settle(.success)
            }
        }
        sink.publish(message, from: .uplink(options.name), settled: settle)
    }

    private static func matches(_ filter: UnsafeRawBufferPointer, _ topic: UnsafeRawBufferPointer) -> Bool {
        guard let checked = try? TopicFilter(filter) else { return false }
        return TopicFilter.matches(filter: checked.filter, topic: topic)
    }
}
