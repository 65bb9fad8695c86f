import EventLoop
import MQTT
import Store

extension Connection {
    /// CONNECT: who it is, whether it may come in, and which session it gets (MQTT 5 §3.1.4).
    func connect(_ packet: RawPacket) throws(MQTTError) {
        var connect = try Connect(packet)
        version = connect.version
        maximumPacketSize = connect.maximumPacketSize.map { Int($0) } ?? .max
        takeAliases(atMost: connect.topicAliasMaximum)
        var assigned: String?
        if connect.clientIdentifier.isEmpty {
            guard limits.acceptsEmptyClientIdentifier else {
                throw refuse(.clientIdentifierNotValid, "[MQTT-3.1.3-8] an empty Client Identifier")
            }
            let identifier = limits.clientIdentifierPrefix + hexadecimal(.random(in: 0 ... .max))
            assigned = identifier
            connect.clientIdentifier = [UInt8](identifier.utf8)
        }
        if let method = connect.authenticationMethod {
            return try authenticate(connect, by: method, assigned: assigned, byteCount: packet.length)
        }
        state = .admitting
        let wanted = connect
        let named = assigned
        broker.access.admit(candidate(wanted, packet.length)) { [self] admission in
            guard state == .admitting else { return }
            switch admission {
            case .admitted(let identity): open(wanted, as: identity, assigned: named)
            case .refused(let reason, let why): turnAway(reason, because: why)
            }
        }
    }

    func candidate(_ connect: Connect, _ byteCount: Int) -> Candidate {
        let certificate: PeerCertificate?
        let credentials: PeerCredentials?
        switch listener.namesClients {
        case .none: (certificate, credentials) = (nil, nil)
        case .commonName, .subject, .alternativeName: (certificate, credentials) = (stream.peerCertificate, nil)
        case .peer: (certificate, credentials) = (nil, stream.peerCredentials)
        }
        return Candidate(
            clientIdentifier: connect.clientIdentifier, userName: connect.username, password: connect.password,
            peer: peer, listener: listener, certificate: certificate, credentials: credentials, byteCount: byteCount)
    }

    func turnAway(_ reason: ReasonCode, because why: String?) {
        broker.figures.connectionsFailed += 1
        if [.badUserNameOrPassword, .notAuthorized].contains(reason) { broker.figures.authenticationFailures += 1 }
        if let why { broker.logLine(.notice, "\(peer): refused: \(why)") }
        disconnect(with: reason)
    }

    /// It is let in, if what it asks for may be had.
    func open(_ wanted: Connect, as identity: ClientIdentity, assigned: String?) {
        var connect = wanted
        connect.clientIdentifier = identity.clientIdentifier
        let assigned = assigned == nil ? nil : text(identity.clientIdentifier)
        if let owner = broker.sessions[identity.clientIdentifier]?.identity,
            !broker.access.mayTakeOver(owner, by: identity)
        {
            return turnAway(
                .clientIdentifierNotValid,
                because: "the session \(text(owner.clientIdentifier)) is another client's; choose another identifier")
        }
        sharedLimits = listener.limits(of: identity.userName)
        do throws(MQTTError) {
            if let will = connect.will { try check(will, of: identity) }
            guard broker.hasRoom(for: connect.clientIdentifier, limits: limits) else {
                throw refuse(.quotaExceeded, "too many connections or sessions")
            }
        } catch {
            return fail(error)
        }
        state = .accepting
        cleanStart = connect.cleanStart
        broker.open(connect, as: identity, on: self) { [self] present in
            accept(connect, sessionPresent: present, assigned: assigned)
        }
    }

    private func check(_ will: Will, of identity: ClientIdentity) throws(MQTTError) {
        guard will.qos.rawValue <= limits.maximumQoS else {
            throw refuse(.qosNotSupported, "[MQTT-3.2.2-12] Will QoS")
        }
        guard !will.retain || limits.retainAvailable else {
            throw refuse(.retainNotSupported, "[MQTT-3.2.2-13] Will Retain")
        }
        guard !limits.checksUTF8 || !will.payloadIsText || will.payload.withUnsafeBytes({ isUTF8($0) }) else {
            throw refuse(.payloadFormatInvalid, "§3.1.3.2.3 a Will that claims to be UTF-8, and is not")
        }
        guard limits.payloadBytes == 0 || will.payload.count <= limits.payloadBytes else {
            throw refuse(.quotaExceeded, "a Will above \(limits.payloadBytes) bytes")
        }
        guard will.topic.withUnsafeBytes({ TopicName.levels($0) }) <= limits.topicLevels else {
            throw refuse(.topicNameInvalid, "a Will to a topic of more than \(limits.topicLevels) levels")
        }
        // Silence now would be a Will that nobody ever sees.
        let mayPublish = will.topic.withUnsafeBytes { topic in
            !(topic.first == UInt8(ascii: "$") && ReservedTopics.contains(topic))
                && (identity.rights?.mayPublish(to: topic) ?? true)
        }
        guard mayPublish else {
            broker.figures.deniedPublishes += 1
            throw refuse(.notAuthorized, "its Will may not be published to \(text(will.topic))")
        }
    }

    private func refuse(_ reason: ReasonCode, _ detail: String) -> MQTTError {
        MQTTError(reason, detail, version: version)
    }

    private func accept(_ connect: Connect, sessionPresent: Bool, assigned: String?) {
        guard state == .accepting, let session else { return }
        state = .accepted
        broker.figures.connectsAccepted += 1
        listener.attendance?.clientDidArrive(session.identity)
        if limits.topicLevels != broker.limits.topicLevels { broker.hasSeveralTopicLevels = true }
        if limits.publishRate > 0 { pace = PublishPace(perSecond: limits.publishRate, now: broker.loop.now) }
        var connack = Connack(reason: .success, sessionPresent: sessionPresent)
        if version == .v5 {
            connack.receiveMaximum = limits.inflight
            connack.maximumPacketSize = UInt32(clamping: limits.packetBytes)
            connack.topicAliasMaximum = limits.topicAliases
            connack.maximumQoS = QoS(rawValue: limits.maximumQoS) ?? .exactlyOnce
            connack.retainAvailable = limits.retainAvailable
            connack.assignedClientIdentifier = assigned
            if connect.requestResponseInformation { connack.responseInformation = responseInformation(session) }
            connack.authenticationMethod = authentication?.method
            connack.authenticationData = authentication?.data
            authentication?.data = nil
            if let node = broker.announcedNode { connack.userProperties = [UserProperty("roost-node", node)] }
            if session.expiryInterval != connect.sessionExpiryInterval ?? 0 {
                connack.sessionExpiryInterval = session.expiryInterval
            }
        }
        var keepAlive = connect.keepAlive
        if limits.keepAlive > 0, keepAlive == 0 || keepAlive > limits.keepAlive {
            keepAlive = limits.keepAlive
            connack.serverKeepAlive = keepAlive
        }
        var answer = connack.encode(version: version)
        if answer.count > maximumPacketSize {
            // [MQTT-3.2.2-20]
            connack.userProperties = []
            answer = connack.encode(version: version)
        }
        guard answer.count <= maximumPacketSize else {
            broker.logLine(.notice, "\(name): its Maximum Packet Size has no room for CONNACK")
            isDisconnectedCleanly = true
            close()
            return
        }
        write(answer)
        startKeepAlive(keepAlive)
        watchValidity(until: session.identity.validUntil)
        guard state == .accepted else { return }
        session.window = min(Int(connect.receiveMaximum), Session.largestWindow)
        session.isBehind = true
        session.prepareResends()
        session.pump()
        stream.resumeReading()
        broker.logLine(
            .info,
            "\(name) connected: MQTT \(version == .v5 ? "5" : "3.1.1")"
                + (session.userName.isEmpty ? "" : ", user \(text(session.userName))")
                + (sessionPresent ? ", session resumed" : ""))
        broker.tellLifeCycle("connected", of: session)
    }

    func disconnect(_ packet: Disconnect) throws(MQTTError) {
        guard let session else { return }
        takeHeldBeforeLeaving()
        if let interval = packet.sessionExpiryInterval {
            guard session.expiryInterval > 0 || interval == 0 else {
                throw MQTTError(.protocolError, "[MQTT-3.14.2-2] a Session Expiry Interval where CONNECT gave none")
            }
            broker.changeExpiry(of: session, to: min(interval, limits.sessionExpiry))
        }
        // Any other reason leaves the Will Message to be published [MQTT-3.1.2-10].
        isDisconnectedCleanly = packet.reason == .normalDisconnection
        // What was answered in the same tick still goes out.
        closeGently()
    }
}

extension Will {
    /// Payload Format Indicator 1.
    fileprivate var payloadIsText: Bool {
        properties.withUnsafeBytes { properties in
            PropertyReader(properties).contains {
                if case (.payloadFormatIndicator, .byte(1)) = ($0.identifier, $0.value) { true } else { false }
            }
        }
    }
}

extension Session {
    /// Deliveries that one client may have open, however large its Receive Maximum.
    static let largestWindow = 1024
}

func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

extension Connection {
    /// Where the client's answers may go (MQTT 5 §3.2.2.3.15). An identifier that can't be a part of a topic gets none.
    private func responseInformation(_ session: Session) -> String? {
        let parts = limits.responseInformation.split(separator: "{client}", omittingEmptySubsequences: false)
        guard parts.count > 1 else { return limits.responseInformation.isEmpty ? nil : limits.responseInformation }
        let identifier = text(session.clientIdentifier)
        return identifier.contains { $0 == "+" || $0 == "#" } ? nil : parts.joined(separator: identifier)
    }
}
