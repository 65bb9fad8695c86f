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
        // Behind a message that the store did not take everything waits, so that order is kept.
        guard qos == .atMostOnce || connection != refusedConnection else {
            return client.giveBack(identifier: identifier)
        }
        let settle = { [weak self] (reason: ReasonCode) in
            guard let self else { return }
            guard qos == .atMostOnce || reason != .quotaExceeded else { return awaitStore(for: identifier) }
            client.acknowledge(identifier: identifier, qos: qos, reason: reason, connection: connection)
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

    /// The store can't keep what came. An answer, even one that refuses, would end it for the upstream: so there is none, and
    /// once the store takes messages again, a new connection has the upstream send it anew [MQTT-4.4.0-1].
    private func awaitStore(for identifier: UInt16) {
        client.giveBack(identifier: identifier)
        let connection = client.connectionNumber
        guard client.isConnected, connection != refusedConnection else { return }
        refusedConnection = connection
        onNotice?("the store takes nothing now: what the upstream sends waits there")
        checkStore(connection)
    }

    private func checkStore(_ connection: Int) {
        loop.schedule(after: .seconds(1)) { [weak self] in
            guard let self, client.isConnected, connection == client.connectionNumber else { return }
            guard sink.takesMessages else { return checkStore(connection) }
            client.disconnect()
        }
    }

    private static func matches(_ filter: UnsafeRawBufferPointer, _ topic: UnsafeRawBufferPointer) -> Bool {
        guard let checked = try? TopicFilter(filter) else { return false }
        return TopicFilter.matches(filter: checked.filter, topic: topic)
    }
}
