import Configuration
import Glibc
import MQTT
import Store
import Uplink

extension UplinkOptions {
    /// - Throws: a password file that can't be read.
    init(_ settings: UplinkSettings, node: NodeSettings) throws(Daemon.Failure) {
        self.init(
            name: settings.name, node: node.id,
            labels: node.sortedLabels,
            urls: settings.urls.map(\.description),
            username: settings.username.isEmpty ? nil : Array(settings.username.utf8),
            password: try Self.password(settings.passwordFile), clientIdentifier: settings.clientID,
            version: settings.protocol == .v5 ? .v5 : .v311,
            sessionExpiry: UInt32(clamping: settings.sessionExpiry.components.seconds),
            keepAlive: UInt16(clamping: settings.keepAlive.components.seconds), batchPrefix: settings.batchPrefix,
            heartbeat: settings.heartbeat, reconnectMin: settings.reconnect.min, reconnectMax: settings.reconnect.max,
            routes: settings.carriedRoutes.map(RouteOptions.init),
            subscriptions: settings.subscriptions.map(SubscribeOptions.init))
        if settings.twin { carryTwins() }
        egressBitsPerSecond = settings.egressBitsPerSecond
        egressBurstBits = settings.egressBurstBits
        ingressBitsPerSecond = settings.ingressBitsPerSecond
        ingressBurstBits = settings.ingressBurstBits
    }

    /// The first line of the file.
    private static func password(_ path: String) throws(Daemon.Failure) -> [UInt8]? {
        guard !path.isEmpty else { return nil }
        guard let file = fopen(path, "re") else {
            throw Daemon.Failure(
                exitCode: 1, message: "uplink.password_file: can't read \(path): \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var line: [UInt8] = []
        while case let byte = fgetc(file), byte != EOF, byte != 0x0A { line.append(UInt8(truncatingIfNeeded: byte)) }
        if line.last == 0x0D { line.removeLast() }
        return line
    }
}

extension NodeSettings {
    /// The labels in an order that doesn't change from run to run.
    fileprivate var sortedLabels: [(name: String, value: String)] {
        labels.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    }
}

extension RouteOptions {
    init(_ settings: RouteSettings) {
        let level: Level
        switch settings.batch.level {
        case .fast: level = .fast
        case .hc: level = .high
        case .auto: level = .auto
        }
        self.init(
            name: settings.placeName, priority: EvictionClass(settings.priority),
            mode: settings.mode == .batch ? .batch : .each, batchBytes: settings.batch.bytes,
            batchDelay: settings.batch.delay, level: level, eager: settings.batch.eager, topic: settings.topic,
            storesQoS0: settings.storeQoS0, stamp: settings.stamp)
        qos = settings.qos == 2 ? .exactlyOnce : .atLeastOnce
        replayBitsPerSecond = settings.replayBitsPerSecond
        windows = settings.window.map { SendingWindow(startMinute: $0.startMinute, endMinute: $0.endMinute) }
    }
}

extension RoutePolicy {
    init(_ settings: RouteSettings) {
        self.init(
            sendsNewestFirst: settings.send == .newest, keepsLatest: settings.keep == .latest,
            upstreamTimeout: settings.ack == .upstream ? settings.ackTimeout : nil,
            reportsGaps: settings.mode == .batch, blockBytes: settings.mode == .batch ? settings.batch.bytes : 0)
    }
}

extension SubscribeOptions {
    init(_ settings: SubscribeSettings) {
        self.init(
            filter: settings.filter, qos: QoS(rawValue: UInt8(clamping: settings.qos)) ?? .atLeastOnce,
            topic: settings.topic)
    }
}

extension EvictionClass {
    init(_ priority: Priority) {
        switch priority {
        case .critical: self = .critical
        case .high: self = .high
        case .normal: self = .normal
        case .bulk: self = .bulk
        }
    }
}

extension IngestOptions {
    init(_ settings: IngestSettings, node: NodeSettings, twins: Bool) {
        self.init(
            node: node.id, filter: settings.filter, topic: settings.topic,
            labels: node.sortedLabels, stamp: settings.stamp,
            maxBatch: settings.maxBatchBytes)
        if twins { allowsReserved = TwinTopics.mayCome }
    }
}
