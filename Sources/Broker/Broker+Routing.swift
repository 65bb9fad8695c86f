import EventLoop
import MQTT
import Store

/// The way of a message from its publisher to everybody who wants it.
extension Broker {
    /// Takes a message to everybody who wants it.
    ///
    /// - Parameters:
    ///   - waiter: told when the message is safe, if the outcome is `pending`; nil at QoS 0.
    ///   - ticket: what the waiter knows it by.
    public func route(
        _ publish: PublishView, from origin: Origin, waiter: (any SafetyWaiter)?, ticket: UInt64
    ) -> Outcome {
        if case .client(let session) = origin, !mayPublish(session, publish.topic) {
            noteDeniedPublish(session, publish.topic)
            return .done(.notAuthorized)
        }
        if let receiver, receiver.wants(publish.topic) { return receive(publish, receiver, origin, waiter, ticket) }
        if publish.topic.first == UInt8(ascii: "$"), let twins, twins.wants(publish.topic) {
            return route(publish, by: twins, origin, waiter, ticket)
        }
        return routeOn(publish, from: origin, waiter: waiter, ticket: ticket)
    }

    /// ... once nobody but its subscribers and routes has a part in it.
    @inline(__always)
    func routeOn(
        _ publish: PublishView, from origin: Origin, waiter: (any SafetyWaiter)?, ticket: UInt64
    ) -> Outcome {
        guard let destinations = destinations(of: publish.topic, origin) else { return .done(.topicNameInvalid) }
        if waiter != nil, lacksUpstream(destinations, origin) {
            if refusedUpstream.begins(at: loop.now) {
                logLine(.notice, "a link is down: messages that only its far end may acknowledge are refused")
            }
            return .done(.quotaExceeded)
        }
        let streams = durableStreams(destinations, publish, origin)
        let setsRetained = publish.retain && mayRetain(publish, from: origin)
        var inbound: Change?
        if publish.qos == .exactlyOnce, case .client(let session) = origin, let id = session.id {
            inbound = .inbound(id, UInt16(truncatingIfNeeded: ticket))
        }
        let isDurable = !streams.isEmpty || setsRetained || inbound != nil
        guard isDurable else {
            deliver(publish, destinations, message: nil)
            return .done(destinations.isEmpty ? .noMatchingSubscribers : .success)
        }
        guard !log.isRefusing, !isOverBudget(destinations, streams) else {
            if log.isRefusing, refusedMessages.begins(at: loop.now) {
                logLine(.warning, "the store takes nothing now: messages that must be kept are refused")
            }
            guard publish.qos == .atMostOnce else { return .done(.quotaExceeded) }
            figures.dropped += 1
            for route in destinations.routes where streams.contains(where: { $0 === route.queue.stream }) {
                route.queue.passOver()
            }
            deliver(publish, destinations, message: nil)
            return .done(.success)
        }
        let message = Message(
            publish, laneSequence: log.takeLaneSequence(), receivedAt: log.clock.time(at: loop.now), meter: log.meter)
        message.set = destinations.set
        if let waiter, destinations.hasUpstream {
            if inbound == nil {
                deliver(publish, destinations, message: message)
                if setsRetained { setRetained(message) }
            }
            appendUpstream(
                message, destinations, streams, retained: setsRetained, inbound: inbound, waiter: waiter,
                ticket: ticket, origin)
            return .pending
        }
        if let inbound {
            guard log.options.isRelaxed else {
                hold(message, destinations, streams, setsRetained, [inbound], waiter, ticket)
                return .pending
            }
            log.lazily(inbound)
        }
        deliver(publish, destinations, message: message)
        if setsRetained { setRetained(message) }
        append(message, streams, retained: setsRetained, waiter: waiter, ticket: ticket)
        // Whoever was waited for may have answered already: then the waiter was told, and takes its place too late.
        return waiter == nil ? .done(.success) : .pending
    }

    /// The bytes of a QoS 2 message and its identifier are on disk before any destination has it: a publisher that sends
    /// it again after a crash then finds it known.
    func hold(
        _ message: Message, _ destinations: Destinations, _ streams: [LogStream], _ setsRetained: Bool,
        _ changes: [Change], _ waiter: (any SafetyWaiter)?, _ ticket: UInt64
    ) {
        log.append(
            message, to: streams, retained: setsRetained, changes: changes, isHeld: true, waiter: waiter,
            ticket: ticket
        ) { [unowned self] in
            guard !message.isWithdrawn else { return }
            if setsRetained { setRetained(message) }
            deliver(message.view(at: log.clock.now), destinations, message: message)
        }
        for stream in streams {
            for membership in stream.receivers(of: message) { membership.queue.onHold?() }
        }
    }

    func append(
        _ message: Message, _ streams: [LogStream], retained: Bool, waiter: (any SafetyWaiter)?, ticket: UInt64
    ) {
        log.append(message, to: streams, retained: retained, waiter: waiter, ticket: ticket)
        for stream in streams {
            let number = stream.next - 1
            for membership in stream.receivers(of: message) {
                membership.queue.onAppend?(membership, number, message)
            }
        }
    }

    func durableStreams(_ destinations: Destinations, _ publish: PublishView, _ origin: Origin) -> [LogStream] {
        let qos = publish.qos
        guard !destinations.routes.isEmpty || (qos != .atMostOnce && destinations.wantsLog) else { return [] }
        var streams: [LogStream] = []
        for route in destinations.routes {
            if route.isOf(origin) || route.leadsBack(publish) { continue }
            if qos == .atMostOnce, !route.queue.storesQoS0, route.queue.link.state == .down {
                figures.dropped += 1
                route.queue.passOver()
                continue
            }
            streams.append(route.queue.stream)
        }
        guard qos != .atMostOnce, destinations.wantsLog else { return streams }
        if destinations.stream == nil || destinations.topology != log.topology {
            (destinations.stream, destinations.set) = log.sessionStream(
                for: destinations.durable.compactMap { delivery in
                    guard let queue = delivery.session.queue else { return nil }
                    return (
                        queue,
                        StreamMember(
                            session: queue.session, qos: delivery.qos.rawValue,
                            retainAsPublished: delivery.retainAsPublished,
                            subscriptionIdentifiers: delivery.subscriptionIdentifiers)
                    )
                } + destinations.durableShares.compactMap(\.asMember))
            destinations.topology = log.topology
        }
        if let stream = destinations.stream { streams.append(stream) }
        return streams
    }

    /// To those who are reached only while they are connected.
    func deliver(_ publish: PublishView, _ destinations: Destinations, message: Message?) {
        let sendsDurable = publish.qos == .atMostOnce && destinations.wantsLog
        guard destinations.wantsDirect || sendsDurable else { return }
        var made = message
        withLastingProperties(publish) { properties in
            template.reset(
                topic: publish.topic, properties: properties, payload: publish.payload,
                messageExpiryInterval: publish.messageExpiryInterval)
            for delivery in destinations.direct {
                delivery.session.offer(&template, publish, delivery, &made)
            }
            if sendsDurable {
                for delivery in destinations.durable {
                    delivery.session.offer(&template, publish, delivery, &made)
                }
                for group in destinations.durableShares { group.offer(&template, publish, &made) }
            }
            for group in destinations.directShares { group.offer(&template, publish, &made) }
        }
    }

    /// The message as an object of its own, for whoever must keep it.
    func message(_ publish: PublishView, _ made: inout Message?) -> Message {
        if let made { return made }
        let message = Message(
            publish, laneSequence: log.takeLaneSequence(), receivedAt: log.clock.time(at: loop.now), meter: log.meter)
        made = message
        return message
    }

    func withLastingProperties(_ publish: PublishView, _ body: (UnsafeRawBufferPointer) -> Void) {
        if publish.propertiesCanBeCopied {
            body(publish.properties)
            return
        }
        withUnsafeTemporaryAllocation(byteCount: max(publish.properties.count, 1), alignment: 1) { memory in
            guard let base = memory.baseAddress else { return }
            let count = publish.copyProperties(into: base)
            body(UnsafeRawBufferPointer(start: base, count: count))
        }
    }
}
