import Broker
import Configuration
import Store

// The configuration's words in the types of those who act on them.

extension BrokerLimits {
    init(_ settings: LimitSettings) {
        self.init()
        packetBytes = settings.packetBytes
        connectTimeout = settings.connectTimeout
        inflight = UInt16(clamping: settings.inflight)
        sessionMessages = settings.sessionMessages
        sessionBytes = settings.sessionBytes
        outputBytes = settings.outputBufferBytes
        sessionExpiry = UInt32(clamping: settings.sessionExpiry.components.seconds)
        publishRate = settings.publishRate
        topicLevels = settings.topicLevels
        topicAliases = UInt16(clamping: settings.topicAliases)
        maximumQoS = UInt8(clamping: settings.qos)
        subscriptions = settings.subscriptions
        retained = settings.retained
        connectRate = settings.connectRate
        checksUTF8 = settings.checkUTF8
        sessionFullLosesNewest = settings.sessionFull == .newest
        retainAvailable = settings.retain
        payloadBytes = settings.payloadBytes
        keepAlive = UInt16(clamping: settings.keepAlive.components.seconds)
        acceptsEmptyClientIdentifier = settings.emptyClientID
        clientIdentifierPrefix = settings.clientIDPrefix
        responseInformation = settings.responseInformation
        connections = settings.connections
        sessions = settings.sessions
    }
}

extension ListenerOptions {
    convenience init(_ settings: ListenerSettings, _ limits: LimitSettings) {
        let anonymous: AnonymousPolicy
        switch settings.anonymous {
        case .loopback: anonymous = .loopback
        case .always: anonymous = .always
        case .never: anonymous = .never
        }
        self.init(
            anonymous: anonymous, maximumConnections: settings.maxConnections,
            limits: BrokerLimits(settings.limits.applied(to: limits)), namesClients: NameSource(settings))
    }
}

extension LogOptions {
    init(_ settings: StoreSettings) {
        self.init(
            settle: settings.settle, commit: settings.commit, memoryBytes: settings.memoryBytes,
            budgetBytes: settings.budgetBytes, refusesWhenFull: settings.whenFull == .refuse,
            isRelaxed: settings.durability == .relaxed, ttl: settings.ttl.milliseconds)
    }
}

extension DatabaseOptions {
    /// `relaxed` is the log's affair: it commits later. What it commits is on the disk, or `store.commit` would say nothing.
    init(_ settings: StoreSettings) {
        self.init()
        whenFull = settings.whenFull == .refuse ? .refuse : .evict
        budgetBytes = settings.budgetBytes
    }
}
