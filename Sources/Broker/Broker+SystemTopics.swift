import EventLoop
import MQTT
import Store

extension Broker {
    /// `$SYS/broker/...`: the names that mosquitto users' dashboards read, retained in memory.
    public func publishSystemTopics() {
        let connected = sessions.values.count { $0.isConnected }
        let values: [(String, String)] = [
            ("version", "roost"),
            ("uptime", "\((loop.now - startedAt).components.seconds) seconds"),
            ("clients/connected", "\(connected)"),
            ("clients/active", "\(connected)"),
            ("clients/disconnected", "\(sessions.count - connected)"),
            ("clients/inactive", "\(sessions.count - connected)"),
            ("clients/total", "\(sessions.count)"),
            ("clients/maximum", "\(figures.maximumConnections)"),
            ("messages/received", "\(figures.messagesReceived)"),
            ("messages/sent", "\(figures.messagesSent)"),
            ("messages/stored", "\(retained.count)"),
            ("store/messages/count", "\(retained.count)"),
            ("store/messages/bytes", "\(retained.bytes)"),
            ("publish/messages/received", "\(figures.publishesReceived)"),
            ("publish/messages/sent", "\(figures.publishesSent)"),
            ("publish/messages/dropped", "\(figures.dropped)"),
            ("bytes/received", "\(figures.bytesReceived)"),
            ("bytes/sent", "\(figures.bytesSent)"),
            ("subscriptions/count", "\(tree.count)"),
            ("retained messages/count", "\(retained.count)"),
        ]
        for (name, value) in values { publishOwn([UInt8]("$SYS/broker/\(name)".utf8), [UInt8](value.utf8)) }
    }
}
