import Client
import MQTT

/// What comes from the cloud: subscribed with No Local, published here under its own topic, and acknowledged to the upstream
/// once the broker says that it is safe; the client keeps the acknowledgements in order.
extension Uplink {
    /// Between two attempts at a filter that the upstream refuses: rights may be granted without our connecting anew.
    private static let secondAttempt: Duration = .seconds(600)

    /// On MQTT 3.1.1 a second SUBSCRIBE would bring all retained messages again, so it is left out where the Session has the
    /// subscriptions; what the configuration says may have changed since, but not in this run.
    func subscribe(sessionPresent: Bool) {
        if options.version == .v311, sessionPresent, isSubscribed { return }
        isSubscribed = false
        subscribe(options.subscriptions)
    }

    private func subscribe(_ subscriptions: [SubscribeOptions]) {
        guard !subscriptions.isEmpty else { return }
        let isVersion5 = options.version == .v5
        let filters = subscriptions.map { subscription in
            Subscription(
                filter: Array(subscription.filter.utf8), qos: subscription.qos, noLocal: isVersion5,
                retainAsPublished: isVersion5, retainHandling: isVersion5 ? .sendIfNew : .send)
        }
        guard let identifier = client.subscribe(filters) else { return }
        requests = [identifier: subscriptions]
    }

    func subscribed(_ identifier: UInt16, _ reasons: [ReasonCode]) {
        guard let subscriptions = requests.removeValue(forKey: identifier) else { return }
        refusedSubscriptions = []
        var refused: [SubscribeOptions] = []
        for (subscription, reason) in zip(subscriptions, reasons) where reason.isError {
            let text = "the upstream refuses the subscription to \(subscription.filter): \(reason.name)"
            refusedSubscriptions.append(text)
            refused.append(subscription)
            context.notice("subscription \(subscription.filter)", text)
        }
        guard !refused.isEmpty else {
            isSubscribed = true
            return
        }
        let connection = client.connectionNumber
        loop.schedule(after: Self.secondAttempt) { [weak self] in
            guard let self, client.connectionNumber == connection, client.isConnected else { return }
            subscribe(refused)
        }
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
        let mapping = mappings.first { $0.filter.withUnsafeBytes { Self.matches($0, publish.topic) } }?.mapping
        guard let mapping else {
            // The Session at the upstream remembers a subscription that the configuration has no more.
            context.notice("unasked", "the upstream sends messages that no subscribe asks for; they are dropped")
            return settle(.success)
        }
        if !mapping.isIdentity {
            inboundTopic.removeAll()
            let start = inboundTopic.reserve(mapping.mappedLength(publish.topic))
            let end = mapping.write(publish.topic, to: start)
            message.topic = UnsafeRawBufferPointer(start: start, count: end - start)
            guard TopicName.isValid(message.topic) else {
                context.notice("mapped", "a topic from the upstream grows too long when mapped; it is dropped")
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
