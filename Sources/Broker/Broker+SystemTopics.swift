import EventLoop
import MQTT
import Store

extension Broker {
    /// `$SYS/broker/...`: the names that mosquitto users' dashboards read, retained in memory. Called every ten seconds.
    public func publishSystemTopics() {
        let connected = sessions.values.count { $0.isConnected }
        let values: [(String, String)] = [
            ("version", systemTopics.version),
            ("uptime", "\((loop.now - startedAt).components.seconds) seconds"),
            ("clients/connected", "\(connected)"),
            ("clients/active", "\(connected)"),
            ("clients/disconnected", "\(sessions.count - connected)"),
            ("clients/inactive", "\(sessions.count - connected)"),
            ("clients/total", "\(sessions.count)"),
            ("clients/maximum", "\(figures.maximumConnections)"),
            ("messages/received", "\(figures.messagesReceived)"),
            ("messages/sent", "\(figures.messagesSent)"),
            ("messages/stored", "\(retainedCount)"),
            ("store/messages/count", "\(retainedCount)"),
            ("store/messages/bytes", "\(retained.bytes)"),
            ("publish/messages/received", "\(figures.publishesReceived)"),
            ("publish/messages/sent", "\(figures.publishesSent)"),
            ("publish/messages/dropped", "\(figures.dropped + lostBySessions)"),
            ("access/authentication/failed", "\(figures.authenticationFailures)"),
            ("access/publish/denied", "\(figures.deniedPublishes)"),
            ("access/subscribe/denied", "\(figures.deniedSubscriptions)"),
            ("bytes/received", "\(figures.bytesReceived)"),
            ("bytes/sent", "\(figures.bytesSent)"),
            ("subscriptions/count", "\(subscriptionCount)"),
            ("shared_subscriptions/count", "\(shares.count)"),
            ("retained messages/count", "\(retainedCount)"),
            ("store/disk/bytes", "\(log.usedBytes)"),
            ("store/disk/budget", "\(log.options.budgetBytes)"),
            ("store/memory/bytes", "\(log.meter.bytes)"),
            ("store/evicted/messages", "\(log.evictedMessages)"),
            ("store/expired/messages", "\(log.expiredMessages)"),
        ]
        publishSystem(values)
        updateLoads()
        publishSystem(systemTopics.loads.topics.map { ("load/\($0.name)", $0.value) })
        publishUplinkTopics()
    }

    /// The part about uplinks; also called when a link's state changes.
    public func publishUplinkTopics() {
        for (name, isConnected) in systemTopics.uplinks() {
            let queues = routes.filter { $0.uplink == name }.map(\.queue)
            let oldest = queues.compactMap(\.oldest).min()
            let age = oldest.map { max(log.clock.now - $0, 0) / 1000 } ?? 0
            publishSystem([
                ("uplink/\(name)/state", isConnected ? "1" : "0"),
                ("uplink/\(name)/queued/messages", "\(queues.reduce(0) { $0 + $1.messages })"),
                ("uplink/\(name)/queued/bytes", "\(queues.reduce(0) { $0 + $1.bytes })"),
                ("uplink/\(name)/oldest/seconds", "\(age)"),
                ("uplink/\(name)/lost/messages", "\(queues.reduce(0) { $0 + $1.lost.values.reduce(0, +) })"),
            ])
        }
    }

    private func updateLoads() {
        systemTopics.loads.update(
            [
                ("messages/received", figures.messagesReceived), ("messages/sent", figures.messagesSent),
                ("publish/dropped", figures.dropped + lostBySessions),
                ("publish/received", figures.publishesReceived), ("publish/sent", figures.publishesSent),
                ("bytes/received", figures.bytesReceived), ("bytes/sent", figures.bytesSent),
                ("sockets", figures.connectionsAccepted), ("connections", figures.connectsAccepted),
            ], at: loop.now)
    }

    private func publishSystem(_ values: [(String, String)]) {
        for (name, value) in values where systemTopics.note(name, value) {
            publishOwn([UInt8]("$SYS/broker/\(name)".utf8), [UInt8](value.utf8))
        }
    }
}
