import MQTT

/// Packets one after the other, as a connection would read them. What decodes is encoded, and means the same then.
enum Packets {
    static func take(_ input: UnsafeRawBufferPointer, _ version: ProtocolVersion) {
        var offset = 0
        while offset < input.count {
            let rest = UnsafeRawBufferPointer(rebasing: input[offset...])
            do throws(MQTTError) {
                guard let packet = try readFrame(rest, maximum: 1 << 20, version: version) else { return }
                precondition(packet.length >= 2 && packet.length <= rest.count)
                offset += packet.length
                try take(packet, version)
            } catch {
                precondition(error.reason.isError, "an error without a reason")
                _ = Connack.refusal(of: MQTTError(error.reason, error.detail, version: version))
                return
            }
        }
    }

    private static func take(_ packet: RawPacket, _ version: ProtocolVersion) throws(MQTTError) {
        switch packet.type {
        case .connect:
            let connect = try Connect(packet)
            again(connect, connect.encode(), connect.version) { (packet) throws(MQTTError) in try Connect(packet) }
        case .connack:
            let connack = try Connack(packet, version: version)
            guard version == .v5 || connack.reason.connectReturnCode != nil else { return }
            again(connack, connack.encode(version: version), version) { (packet) throws(MQTTError) in
                try Connack(packet, version: version)
            }
        case .publish: try publish(packet, version)
        case .puback, .pubrec, .pubrel, .pubcomp:
            let acknowledgement = try Acknowledgement(packet, version: version)
            again(acknowledgement, acknowledgement.encode(version: version), version) { (packet) throws(MQTTError) in
                try Acknowledgement(packet, version: version)
            }
        case .subscribe:
            let subscribe = try Subscribe(packet, version: version)
            again(subscribe, subscribe.encode(version: version), version) { (packet) throws(MQTTError) in
                try Subscribe(packet, version: version)
            }
        case .suback: _ = try Suback(packet, version: version)
        case .unsubscribe: _ = try Unsubscribe(packet, version: version)
        case .unsuback: _ = try Unsuback(packet, version: version)
        case .disconnect: _ = try Disconnect(packet, version: version, from: .client)
        case .auth:
            let auth = try Auth(packet, version: version)
            again(auth, auth.encode(), version) { (packet) throws(MQTTError) in try Auth(packet, version: version) }
        case .pingreq, .pingresp: break
        }
    }

    private static func publish(_ packet: RawPacket, _ version: ProtocolVersion) throws(MQTTError) {
        let view = try PublishView(packet, version: version)
        _ = isUTF8(view.payload)
        _ = TopicName.levels(view.topic)
        var count = 0
        for property in PropertyReader(view.properties) { count += property.encoded.count }
        precondition(count == view.properties.count, "properties that are not all there is")
        var template = PublishTemplate()
        guard !view.topic.isEmpty else { return }
        template.reset(
            topic: view.topic, properties: UnsafeRawBufferPointer(start: nil, count: 0), payload: view.payload,
            messageExpiryInterval: view.messageExpiryInterval)
        for qos in [QoS.atMostOnce, .atLeastOnce] {
            let length = template.encodedLength(version: version, qos: qos)
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: length, alignment: 1)
            defer { bytes.deallocate() }
            guard let base = bytes.baseAddress else { return }
            let written = template.encode(
                version: version, qos: qos, retain: false, packetIdentifier: qos == .atMostOnce ? 0 : 7, into: base)
            precondition(written == length, "another length than was said")
            guard let raw = try? readFrame(UnsafeRawBufferPointer(bytes), maximum: .max, version: version),
                let copy = try? PublishView(raw, version: version)
            else { preconditionFailure("what was encoded can't be decoded") }
            precondition(copy.topic.elementsEqual(view.topic) && copy.payload.elementsEqual(view.payload))
        }
    }

    private static func again<T: Equatable>(
        _ value: T, _ bytes: [UInt8], _ version: ProtocolVersion, _ decode: (RawPacket) throws(MQTTError) -> T
    ) {
        bytes.withUnsafeBytes { bytes in
            guard let raw = try? readFrame(bytes, maximum: .max, version: version), let copy = try? decode(raw) else {
                preconditionFailure("what was encoded can't be decoded: \(value)")
            }
            precondition(copy == value, "\(copy) was \(value)")
        }
    }
}
