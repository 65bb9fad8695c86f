import MQTT

extension SimulatedClient {
    func subscribe(_ filters: [(filter: String, qos: QoS)], identifier: UInt32? = nil) {
        guard isConnected, openSubscribe == nil, !filters.isEmpty else { return }
        // Far from those of its PUBLISH packets.
        let packet = Subscribe(
            packetIdentifier: 60_000,
            filters: filters.map { Subscription(filter: [UInt8]($0.filter.utf8), qos: $0.qos) },
            subscriptionIdentifier: manner.version == .v5 ? identifier : nil)
        openSubscribe = (packet.packetIdentifier, filters.map(\.filter))
        send(packet.encode(version: manner.version))
    }

    func take(_ suback: Suback) {
        guard let (identifier, filters) = openSubscribe, identifier == suback.packetIdentifier else { return }
        openSubscribe = nil
        for (filter, reason) in zip(filters, suback.reasons) {
            if reason.isError {
                subscribedAt[filter] = nil
            } else if subscribedAt[filter] == nil {
                subscribedAt[filter] = world.now
            }
        }
        world.trace.note("\(name) is subscribed to \(filters.joined(separator: ", "))")
        // A failing store refuses; it is asked again.
        guard suback.reasons.contains(where: \.isError) else { return }
        let attempt = connection
        world.plan(at: world.now + 1_000_000_000) { [self] in
            guard attempt == connection, isConnected else { return }
            subscribe(manner.filters.filter { subscribedAt[$0.filter] == nil })
        }
    }

    func take(_ publish: PublishView) {
        switch publish.qos {
        case .atMostOnce: world.model.deliver(publish, to: self, connection: connection)
        case .atLeastOnce:
            world.model.deliver(publish, to: self, connection: connection)
            owe(.puback, publish.packetIdentifier)
        case .exactlyOnce:
            if unreleased.insert(publish.packetIdentifier).inserted {
                world.model.deliver(publish, to: self, connection: connection)
            }
            owe(.pubrec, publish.packetIdentifier)
        }
    }

    func released(_ packet: Acknowledgement) {
        unreleased.remove(packet.packetIdentifier)
        owe(.pubcomp, packet.packetIdentifier)
    }

    /// Acknowledgements leave in order, after some thought.
    private func owe(_ type: PacketType, _ identifier: UInt16) {
        owed.append((type, identifier))
        answerSoon()
    }

    private func answerSoon() {
        guard !isAnswering else { return }
        guard manner.thinkMilliseconds.upperBound > 0 else { return answer() }
        isAnswering = true
        let wait = Int64(random.within(manner.thinkMilliseconds)) * 1_000_000
        world.plan(at: world.now + wait) { [self] in
            isAnswering = false
            answer()
        }
    }

    private func answer() {
        guard isConnected else { return }
        let answers = owed
        owed = []
        for (type, identifier) in answers {
            send(Acknowledgement(type, packetIdentifier: identifier).encode(version: manner.version))
        }
    }
}
