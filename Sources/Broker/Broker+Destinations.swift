import MQTT
import Store

/// Who wants the messages of a topic.
extension Broker {
    /// Adds a route; of one uplink's, the first that matches takes a message.
    public func add(_ route: Route) {
        routes.append(route)
        let queue = route.queue
        queue.onBudget = { [unowned self, unowned queue] in
            let cost = log.options.refusesWhenFull ? "what it would have to keep is refused" : "it loses its oldest"
            logLine(.warning, "route \(queue.name) is at its own budget (uplink.route.budget): \(cost)")
        }
        routesGeneration += 1
    }

    /// nil: the topic has too many levels.
    func destinations(of topic: UnsafeRawBufferPointer, _ origin: Origin) -> Destinations? {
        let generation = tree.generation &+ routesGeneration << 32
        let hash = cache.hash(topic)
        let found: Destinations
        if let known = cache.find(topic, hash: hash, generation: generation) {
            found = known
        } else {
            guard TopicName.levels(topic) <= limits(of: origin).topicLevels else { return nil }
            found = work(out: topic, without: nil)
            cache.insert(topic, hash: hash, found)
        }
        if found.hasNoLocal, case .client(let session) = origin { return work(out: topic, without: session) }
        return found
    }

    /// A client's own, as long as it is connected.
    func limits(of origin: Origin) -> BrokerLimits {
        if case .client(let session) = origin, let connection = session.connection { return connection.limits }
        return limits
    }

    func work(out topic: UnsafeRawBufferPointer, without publisher: Session?) -> Destinations {
        let destinations = Destinations()
        var deliveries: [Destinations.Delivery] = []
        var places: [ObjectIdentifier: Int] = [:]
        var denied: Set<ObjectIdentifier> = []
        tree.match(topic) { interest in
            let subscription = interest.subscription
            guard case .session(let session) = interest.subscriber else {
                if case .share(let group) = interest.subscriber { group.join(destinations, of: topic) }
                return
            }
            if subscription.noLocal {
                destinations.hasNoLocal = true
                if session === publisher { return }
            }
            let key = ObjectIdentifier(session)
            let place = places[key] ?? deliveries.count
            if place == deliveries.count {
                guard !denied.contains(key), session.mayReceive(topic) else {
                    denied.insert(key)
                    return
                }
                places[key] = place
                deliveries.append(
                    Destinations.Delivery(
                        session: session, qos: subscription.qos, retainAsPublished: false,
                        subscriptionIdentifiers: []))
            }
            deliveries[place].qos = max(deliveries[place].qos, subscription.qos)
            if subscription.retainAsPublished { deliveries[place].retainAsPublished = true }
            if subscription.identifier != 0 {
                deliveries[place].subscriptionIdentifiers.append(subscription.identifier)
            }
        }
        for delivery in deliveries {
            if delivery.session.isDurable, delivery.qos != .atMostOnce {
                destinations.durable.append(delivery)
            } else {
                destinations.direct.append(delivery)
            }
        }
        destinations.close()
        var uplinks: Set<String> = []
        for route in routes where !uplinks.contains(route.uplink) {
            guard route.matches(topic) else { continue }
            uplinks.insert(route.uplink)
            destinations.routes.append(route)
            if route.queue.acknowledgesUpstream { destinations.hasUpstream = true }
        }
        return destinations
    }
}
