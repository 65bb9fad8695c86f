import EventLoop
import MQTT

/// How far an inbound PUBLISH with QoS 2 has come. Kept over connections, so that none is delivered twice.
enum ExactlyOnce {
    /// Delivered on the connection of that number; our PUBREC waits for the delegate.
    case pending(connection: Int)
    /// PUBREC sent or due; PUBREL awaited.
    case received
}

extension MQTTClient: ByteStreamDelegate {
    public func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        liveness.lastReceived = loop.now
        var consumed = 0
        while consumed < bytes.count, stream === self.stream, state == .handshake || state == .connected {
            do throws(MQTTError) {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
                guard let packet = try readFrame(rest, maximum: options.maximumPacketSize, version: version) else {
                    break
                }
                consumed += packet.length
                try receive(packet)
            } catch {
                fail(error)
                return bytes.count
            }
        }
        // What comes behind our own DISCONNECT is nobody's.
        return stream === self.stream && state != .closing ? consumed : bytes.count
    }

    public func streamDidClose(_ stream: ByteStream, error: StreamError?) {
        guard stream === self.stream else { return }
        if state == .closing {
            finish(.disconnected)
        } else if case .protocolViolation(let text)? = error {
            finish(.layerFailed(text))
        } else if let error {
            finish(.connectionLost("\(error)"))
        } else {
            finish(.closedByPeer)
        }
    }

    public func streamDidDrain(_ stream: ByteStream) {
        delegate?.clientDidDrain(self)
    }

    private func receive(_ packet: RawPacket) throws(MQTTError) {
        guard state == .connected else { return try receiveFirst(packet) }
        switch packet.type {
        case .publish: try receivePublish(PublishView(packet, version: version))
        case .puback, .pubrec, .pubrel, .pubcomp: try receive(Acknowledgement(packet, version: version))
        case .suback:
            let suback = try Suback(packet, version: version)
            guard window.answered(suback.packetIdentifier) else { throw unasked }
            delegate?.client(self, didSubscribe: suback.packetIdentifier, reasons: suback.reasons)
        case .unsuback:
            let unsuback = try Unsuback(packet, version: version)
            guard window.answered(unsuback.packetIdentifier) else { throw unasked }
            delegate?.client(self, didUnsubscribe: unsuback.packetIdentifier, reasons: unsuback.reasons)
        case .pingresp: receivePong()
        case .disconnect:
            guard version == .v5 else { throw MQTTError(.protocolError, "a Server's DISCONNECT on MQTT 3.1.1") }
            let disconnect = try Disconnect(packet, version: version, from: .server)
            serverReference = disconnect.serverReference
            finish(.serverDisconnected(disconnect.reason, disconnect.reasonString ?? ""))
        case .auth where options.authenticationMethod != nil: try receiveAuth(packet)
        case .connect, .connack, .subscribe, .unsubscribe, .pingreq, .auth:
            throw MQTTError(.protocolError, "a packet that a Server may not send here")
        }
    }

    private func receiveAuth(_ packet: RawPacket) throws(MQTTError) {
        let auth = try Auth(packet, version: version, from: .server)
        guard auth.authenticationMethod == nil || auth.authenticationMethod == options.authenticationMethod else {
            throw MQTTError(.protocolError, "[MQTT-4.12.0-5] another Authentication Method")
        }
        delegate?.client(self, didReceive: auth)
    }

    private func receiveFirst(_ packet: RawPacket) throws(MQTTError) {
        if packet.type == .auth, version == .v5, options.authenticationMethod != nil { return try receiveAuth(packet) }
        guard packet.type == .connack else {
            throw MQTTError(.protocolError, "[MQTT-3.2.0-1] the first packet is no CONNACK")
        }
        let connack = try Connack(packet, version: version)
        if connack.reason.isError {
            let number = connectionNumber
            serverReference = connack.serverReference
            delegate?.client(self, didRefuse: connack.reason)
            guard number == connectionNumber else { return }
            finish(.refused(connack.reason, connack.reasonString ?? ""))
        } else {
            guard !(connack.sessionPresent && options.cleanStart) else {
                throw MQTTError(.protocolError, "[MQTT-3.2.2-2] Session Present after Clean Start")
            }
            accepted(connack)
        }
    }

    private var unasked: MQTTError { MQTTError(.protocolError, "an answer to a request that wasn't made") }

    // MARK: - PUBLISH from the Server

    private func receivePublish(_ packet: PublishView) throws(MQTTError) {
        guard packet.topicAlias == 0 else { return try receiveAliased(packet) }
        try deliver(packet)
    }

    private func receiveAliased(_ packet: PublishView) throws(MQTTError) {
        let alias = packet.topicAlias
        guard alias <= options.topicAliasMaximum else {
            throw MQTTError(.topicAliasInvalid, "[MQTT-3.3.2-9] beyond Topic Alias Maximum")
        }
        if packet.topic.count > 0 {
            aliases[alias] = [UInt8](packet.topic)
            return try deliver(packet)
        }
        guard let topic = aliases[alias] else {
            throw MQTTError(.protocolError, "[MQTT-3.3.2-7] a Topic Alias that was never set")
        }
        var resolved = packet
        let result = topic.withUnsafeBytes { bytes -> Result<Void, MQTTError> in
            resolved.topic = bytes
            do throws(MQTTError) { return .success(try deliver(resolved)) } catch { return .failure(error) }
        }
        try result.get()
    }

    private func deliver(_ packet: PublishView) throws(MQTTError) {
        let identifier = packet.packetIdentifier
        switch packet.qos {
        case .atMostOnce:
            delegate?.client(self, didReceive: packet)
            return
        case .atLeastOnce:
            try count()
            pubacks.append(identifier)
        case .exactlyOnce:
            switch exactlyOnce[identifier] {
            case .received:
                pubrecs.append(identifier)
                _ = pubrecs.answer(identifier, .success)
                flushAcknowledgements(.exactlyOnce)
                return
            case .pending:
                pubrecs.append(identifier)
                return
            case nil:
                try count()
                exactlyOnce[identifier] = .pending(connection: connectionNumber)
                pubrecs.append(identifier)
            }
        }
        let number = connectionNumber
        delegate?.client(self, didReceive: packet)
        if options.automaticAcknowledgement, number == connectionNumber {
            acknowledge(identifier: identifier, qos: packet.qos, connection: number)
        }
    }

    /// Holds the Server to our Receive Maximum [MQTT-3.3.4-9].
    private func count() throws(MQTTError) {
        receiving += 1
        guard version == .v311 || receiving <= Int(options.receiveMaximum) else {
            throw MQTTError(.receiveMaximumExceeded, "[MQTT-3.3.4-9] beyond Receive Maximum")
        }
    }

    // MARK: - Acknowledgements

    private func receive(_ packet: Acknowledgement) throws(MQTTError) {
        let identifier = packet.packetIdentifier
        let phase = window.phase(of: identifier)
        switch packet.type {
        case .puback:
            guard phase == .published1 else { return try unexpected(phase) }
            done(identifier, packet.reason)
        case .pubrec:
            if packet.reason.isError {
                guard phase == .published2 else { return try unexpected(phase) }
                return done(identifier, packet.reason)
            }
            switch phase {
            case .published2 where !options.automaticRelease:
                if window.receive(identifier) { delegate?.client(self, mayRelease: identifier) }
            case .published2, .released:
                window.release(identifier)
                writeAcknowledgement(.pubrel, identifier)
            case .received: break
            case .published1: try unexpected(phase)
            case nil: writeAcknowledgement(.pubrel, identifier, .packetIdentifierNotFound)
            }
        case .pubcomp:
            guard case .released = phase else { return try unexpected(phase) }
            done(identifier, .success)
        default:
            let known = exactlyOnce.removeValue(forKey: identifier) != nil
            if known, receiving > 0 { receiving -= 1 }
            writeAcknowledgement(.pubcomp, identifier, known ? .success : .packetIdentifierNotFound)
        }
    }

    private func done(_ identifier: UInt16, _ reason: ReasonCode) {
        acknowledgedBytes = window.finish(identifier, loop.now)
        if let roundTrip = liveness.answer(to: identifier, loop.now) { lastRoundTrip = roundTrip }
        delegate?.client(self, didAcknowledge: identifier, reason: reason)
    }

    /// An acknowledgement that doesn't fit: of nothing we know it is late, and harmless; of another step it is an error.
    private func unexpected(_ phase: OutboundWindow.Phase?) throws(MQTTError) {
        guard phase != nil else { return }
        throw MQTTError(.protocolError, "an acknowledgement of the wrong type for its PUBLISH")
    }
}
