import EventLoop
import MQTT

extension MQTTClient {
    /// Free places in the outbound window: how many PUBLISHes with QoS above 0 can be sent now. 0 while not connected.
    public var room: Int { state == .connected ? window.room : 0 }

    /// PUBLISHes of ours that are not done, those of earlier connections included.
    public var unacknowledged: Int { window.count }

    /// Sends a PUBLISH; the bytes are copied once, to the output buffer, which leaves at the end of the tick.
    ///
    /// What the Server doesn't allow (Maximum QoS, Retain Available, Maximum Packet Size) is the caller's to check in
    /// `server`: only the packet's size is checked here, since it would cost the connection.
    ///
    /// - Parameters:
    ///   - properties: encoded, without their length; ignored on 3.1.1.
    ///   - duplicate: DUP, for what was sent before on another connection.
    ///   - identifier: of an earlier PUBLISH that wasn't acknowledged, to send it again; nil: a free one.
    /// - Returns: the Packet Identifier (0 for QoS 0); nil if nothing was sent: not connected, no room, too large, or a
    ///   PUBLISH whose PUBREC had come, which must not be sent again [MQTT-4.3.3-6].
    public func publish(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0), duplicate: Bool = false,
        identifier: UInt16? = nil
    ) -> UInt16? {
        guard state == .connected, let stream else { return nil }
        var head = PublishHead(topic: topic, qos: qos, isDuplicate: duplicate, retain: retain, properties: properties)
        if version == .v311 { head.properties = UnsafeRawBufferPointer(start: nil, count: 0) }
        var length = head.encodedLength(version: version, payloadCount: payload.count)
        let alias = applyAlias(to: &head, &length, payloadCount: payload.count)
        guard length <= maximumOutboundPacket else { return nil }
        if qos != .atMostOnce {
            guard window.room > 0, let chosen = identifier ?? window.freeIdentifier() else { return nil }
            switch window.phase(of: chosen) {
            case .released, .received: return nil
            default: break
            }
            head.packetIdentifier = chosen
            let departure = departure(of: length)
            window.publish(chosen, qos: qos, bytes: length, departure: departure)
            liveness.sample(chosen, qos, departure)
        }
        let memory = stream.output.reserve(length)
        stream.output.commit(head.encode(version: version, payload: payload, into: memory))
        touch(stream)
        publishedBytes = length
        outboundAliases.used(alias, for: topic)
        return head.packetIdentifier
    }

    /// Puts a Topic Alias beside the topic, or in its place. What would be too long with both goes without.
    private func applyAlias(
        to head: inout PublishHead, _ length: inout Int, payloadCount: Int
    ) -> OutboundAliases.Use {
        let use = outboundAliases.apply(
            to: &head, version: version, payloadCount: payloadCount, maximumLength: max(length, maximumOutboundPacket))
        if use != .none { length = head.encodedLength(version: version, payloadCount: payloadCount) }
        return use
    }

    /// As above, for callers to whom a copy doesn't matter.
    public func publish(
        topic: some StringProtocol, payload: [UInt8], qos: QoS = .atMostOnce, retain: Bool = false,
        properties: [UInt8] = []
    ) -> UInt16? {
        Array(topic.utf8).withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                properties.withUnsafeBytes {
                    publish(topic: topic, payload: payload, qos: qos, retain: retain, properties: $0)
                }
            }
        }
    }

    /// The largest packet that the Server takes, in bytes.
    public var maximumOutboundPacket: Int {
        guard let maximum = server?.maximumPacketSize else { return VariableByteInteger.maximum }
        return Int(maximum)
    }

    /// Sends SUBSCRIBE; `didSubscribe` brings the answer. Returns its Packet Identifier, nil while not connected.
    ///
    /// - Parameter subscriptionIdentifier: 1...268,435,455, MQTT 5 only.
    public func subscribe(_ filters: [Subscription], subscriptionIdentifier: UInt32? = nil) -> UInt16? {
        guard state == .connected, let identifier = window.request() else { return nil }
        var packet = Subscribe(packetIdentifier: identifier, filters: filters)
        packet.subscriptionIdentifier = subscriptionIdentifier
        write(packet.encode(version: version))
        return identifier
    }

    /// Sends UNSUBSCRIBE; `didUnsubscribe` brings the answer. Returns its Packet Identifier, nil while not connected.
    public func unsubscribe(_ filters: [[UInt8]]) -> UInt16? {
        guard state == .connected, let identifier = window.request() else { return nil }
        write(Unsubscribe(packetIdentifier: identifier, filters: filters).encode(version: version))
        return identifier
    }

    /// Sends AUTH: the next step of enhanced authentication, or with `.reAuthenticate` its beginning on a connection that
    /// stands.
    public func authenticate(_ data: [UInt8]?, reason: ReasonCode = .continueAuthentication) {
        guard version == .v5, state == .handshake || state == .connected, let method = options.authenticationMethod
        else { return }
        write(Auth(reason: reason, authenticationMethod: method, authenticationData: data).encode())
    }

    /// Acknowledges an inbound PUBLISH: PUBACK for QoS 1, PUBREC for QoS 2 (PUBCOMP is the client's own affair). Answers
    /// leave in the order their PUBLISHes came, so one that isn't acknowledged holds back those behind it.
    ///
    /// A PUBLISH with QoS 1 of an earlier connection can't be acknowledged any more: it comes again. One with QoS 2 can and
    /// must, since it isn't delivered again.
    ///
    /// - Parameters:
    ///   - reason: an error on MQTT 5 refuses the message; 3.1.1 has no way to say it, and acknowledges.
    ///   - connection: `connectionNumber` at delivery; nil: the present one. Guards against an identifier's second use.
    public func acknowledge(
        identifier: UInt16, qos: QoS, reason: ReasonCode = .success, connection: Int? = nil
    ) {
        switch qos {
        case .atMostOnce: return
        case .atLeastOnce:
            guard connection ?? connectionNumber == connectionNumber, pubacks.answer(identifier, reason) else { return }
        case .exactlyOnce:
            guard case .pending(let delivered) = exactlyOnce[identifier] else { return }
            if let connection, connection != delivered { return }
            exactlyOnce[identifier] = reason.isError && version == .v5 ? nil : .received
            guard pubrecs.answer(identifier, reason) else { return }
        }
        flushAcknowledgements(qos)
    }

    /// The PUBLISH could not be taken and stays unacknowledged: when the Server sends it again, on another connection, it is
    /// delivered again, also at QoS 2.
    public func giveBack(identifier: UInt16) {
        if case .pending = exactlyOnce[identifier] { exactlyOnce[identifier] = nil }
    }

    /// Sends what may leave of the acknowledgements that we owe.
    func flushAcknowledgements(_ qos: QoS) {
        if qos == .atLeastOnce {
            while let (identifier, reason) = pubacks.next() {
                receiving -= 1
                writeAcknowledgement(.puback, identifier, reason)
            }
        } else {
            while let (identifier, reason) = pubrecs.next() {
                if reason.isError && version == .v5 { receiving -= 1 }
                writeAcknowledgement(.pubrec, identifier, reason)
            }
        }
    }

    func writeAcknowledgement(_ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode = .success) {
        guard let stream else { return }
        let memory = stream.output.reserve(Acknowledgement.maximumEncodedLength)
        stream.output.commit(
            Acknowledgement.encode(type, identifier: identifier, reason: reason, version: version, into: memory))
        touch(stream)
    }

    func write(_ packet: [UInt8]) {
        guard let stream else { return }
        stream.output.append(packet)
        touch(stream)
    }

    private func touch(_ stream: ByteStream) {
        liveness.lastSent = loop.now
        loop.touch(stream)
    }
}
