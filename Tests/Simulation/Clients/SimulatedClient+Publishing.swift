import MQTT

extension SimulatedClient {
    /// Messages that may be unacknowledged at once.
    private static let window = 12

    func publish(_ topic: String, _ qos: QoS, bytes: Int, retain: Bool = false, isClearing: Bool = false) {
        let message = world.model.publish(name, role, topic, qos, retain: retain, bytes: bytes, isClearing: isClearing)
        guard qos != .atMostOnce || isConnected else {
            message.state = .abandoned
            return
        }
        waiting.append(message)
        sendWaiting()
    }

    /// On a new connection: what is unacknowledged goes first, in its order [MQTT-4.4.0-1].
    func resend() {
        for flight in flights {
            if flight.isReleased {
                send(Acknowledgement(.pubrel, packetIdentifier: flight.identifier).encode(version: manner.version))
            } else {
                send(flight, isDuplicate: true)
            }
        }
        sendWaiting()
    }

    func sendWaiting() {
        while isConnected, let message = waiting.first {
            if message.qos == .atMostOnce {
                waiting.removeFirst()
                note(message)
                send(Flight(identifier: 0, message: message), isDuplicate: false)
                message.state = .abandoned
                continue
            }
            guard flights.count < min(Self.window, serverMaximum) else { return }
            waiting.removeFirst()
            // The lowest free one, so that each is used again as soon as it may be.
            var identifier: UInt16 = 1
            while flights.contains(where: { $0.identifier == identifier }) { identifier += 1 }
            let flight = Flight(identifier: identifier, message: message)
            flights.append(flight)
            // At QoS 2 a resend under the same identifier is no message of its own.
            if message.qos == .exactlyOnce { note(message) }
            send(flight, isDuplicate: false)
        }
    }

    private func note(_ message: MessageRecord) {
        message.copies += 1
        if message.sentAt == nil { message.sentAt = world.now }
        if message.state == .waiting { message.state = .sent }
    }

    private func send(_ flight: Flight, isDuplicate: Bool) {
        let message = flight.message
        switch message.qos {
        case .atMostOnce: break
        case .atLeastOnce:
            note(message)
            expectedPubacks.append(flight.identifier)
        case .exactlyOnce:
            expectedPubrecs.append(flight.identifier)
            // `ack = "upstream"`: it may have been refused meanwhile, and its identifier be free again.
            if isDuplicate, world.mayWaitUpstream(message) { note(message) }
        }
        message.meet(start: serverStart)
        message.connections += 1
        world.trace.note(
            "\(name) publishes \(message.number) to \(message.topic) at QoS \(message.qos.rawValue)\(isDuplicate ? " again" : "")"
        )
        var topic = message.topic
        var payload = message.payload
        let version = manner.version
        send(
            topic.withUTF8 { topic in
                payload.withUTF8 { payload in
                    let head = PublishHead(
                        topic: UnsafeRawBufferPointer(topic), qos: message.qos, isDuplicate: isDuplicate,
                        retain: message.retain, packetIdentifier: flight.identifier)
                    let count = head.encodedLength(version: version, payloadCount: payload.count)
                    return [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
                        guard let base = UnsafeMutableRawPointer(buffer.baseAddress) else { return }
                        written = head.encode(version: version, payload: UnsafeRawBufferPointer(payload), into: base)
                    }
                }
            })
    }

    func take(_ packet: Acknowledgement) {
        switch packet.type {
        case .puback:
            checkTurn(packet, &expectedPubacks)
            settle(packet)
        case .pubrec:
            checkTurn(packet, &expectedPubrecs)
            settle(packet)
        case .pubrel: released(packet)
        case .pubcomp: flights.removeAll { $0.identifier == packet.packetIdentifier && $0.isReleased }
        default: break
        }
        sendWaiting()
    }

    private func checkTurn(_ packet: Acknowledgement, _ expected: inout [UInt16]) {
        guard expected.first == packet.packetIdentifier else {
            let text = "\(packet.type) \(packet.packetIdentifier), and \(expected.first ?? 0) was due"
            return world.fail(.acknowledgements, "\(name) got \(text)")
        }
        expected.removeFirst()
    }

    /// PUBACK or PUBREC.
    private func settle(_ packet: Acknowledgement) {
        guard
            let index = flights.firstIndex(where: { $0.identifier == packet.packetIdentifier && !$0.isReleased })
        else { return }
        let message = flights[index].message
        if packet.reason.isError {
            world.trace.note("\(name): \(message.number) is refused, \(packet.reason.name)")
            // `ack = "upstream"`: nothing is known of what was sent and not answered in time.
            message.state = packet.reason == .implementationSpecificError ? .abandoned : .refused
            flights.remove(at: index)
            return
        }
        world.trace.note("\(name): \(message.number) is acknowledged")
        message.meet(start: serverStart)
        world.model.acknowledge(message)
        if message.acknowledgedAt == nil { message.acknowledgedAt = world.now }
        guard packet.type == .pubrec else {
            flights.remove(at: index)
            return
        }
        flights[index].isReleased = true
        send(Acknowledgement(.pubrel, packetIdentifier: packet.packetIdentifier).encode(version: manner.version))
    }
}
