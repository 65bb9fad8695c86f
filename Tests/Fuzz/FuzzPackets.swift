import MQTT

/// Well-formed packets by a few bytes of the input, so that what is mutated still finds its way deep into the broker.
enum FuzzPackets {
    private static let topics = ["p", "a/x", "a/secret", "b/y", "b/y/z/1/2", "$SYS/x", "ä"].map { Array($0.utf8) }
    private static let filters = [
        "#", "p", "a/#", "+/y", "b/+", "$SYS/#", "a/secret", "+/+/+/+/+", "$share/g/a/#", "+",
    ].map { Array($0.utf8) }
    private static let identifiers = ["", "one", "two", "three"].map { Array($0.utf8) }

    static func make(_ operation: UInt8, _ input: inout ArraySlice<UInt8>) -> [UInt8] {
        func byte() -> UInt8 { input.popFirst() ?? 0 }
        func pick(_ all: [[UInt8]]) -> [UInt8] { all[Int(byte()) % all.count] }
        let flags = byte()
        let version: ProtocolVersion = flags & 0x80 == 0 ? .v5 : .v311
        switch operation {
        case 8...15: return connect(flags, version, pick(identifiers), byte(), pick(topics))
        case 16...27: return publish(flags, version, pick(topics), UInt16(byte() & 7), Int(byte()), byte())
        case 28...35:
            let filter = Subscription(
                filter: pick(filters), qos: QoS(rawValue: flags & 3) ?? .atMostOnce, noLocal: flags & 4 != 0,
                retainAsPublished: flags & 8 != 0, retainHandling: RetainHandling(rawValue: (flags >> 4) & 3) ?? .send)
            let identifier = flags & 0x40 == 0 ? nil : UInt32(byte()) + 1
            return Subscribe(
                packetIdentifier: UInt16(byte() & 7) + 1, filters: [filter], subscriptionIdentifier: identifier
            ).encode(version: version)
        case 36...39:
            return Unsubscribe(packetIdentifier: UInt16(byte() & 7) + 1, filters: [pick(filters)]).encode(
                version: version)
        case 40...51:
            let types: [PacketType] = [.puback, .pubrec, .pubrel, .pubcomp]
            let reason: ReasonCode = flags & 0x40 == 0 ? .success : flags & 1 == 0 ? .unspecifiedError : .success
            return Acknowledgement(
                types[Int(operation) % 4], packetIdentifier: UInt16(byte() & 7) + 1, reason: reason
            ).encode(version: version)
        case 52, 53: return [0xC0, 0]
        case 54, 55:
            return Disconnect(
                reason: flags & 1 == 0 ? .normalDisconnection : .disconnectWithWill,
                sessionExpiryInterval: flags & 2 == 0 ? nil : UInt32(byte())
            ).encode(version: version)
        case 56, 57:
            return Auth(
                reason: flags & 1 == 0 ? .continueAuthentication : .reAuthenticate, authenticationMethod: "x",
                authenticationData: [flags]
            ).encode()
        default:
            // Several acknowledgements of what a client has: a good one's.
            return (1...4).flatMap { number -> [UInt8] in
                [PacketType.puback, .pubrec, .pubcomp].flatMap {
                    Acknowledgement($0, packetIdentifier: UInt16(number), reason: .success).encode(version: version)
                }
            }
        }
    }

    private static func connect(
        _ flags: UInt8, _ version: ProtocolVersion, _ identifier: [UInt8], _ more: UInt8, _ topic: [UInt8]
    ) -> [UInt8] {
        var connect = Connect(
            version: version, clientIdentifier: identifier, cleanStart: flags & 1 != 0 || identifier.isEmpty,
            keepAlive: UInt16(more & 0x3F))
        if version == .v5 {
            connect.sessionExpiryInterval = flags & 2 == 0 ? nil : 30
            connect.receiveMaximum = flags & 4 == 0 ? 65_535 : 2
            connect.maximumPacketSize = flags & 8 == 0 ? nil : 60
            if flags & 0x40 != 0, more & 0x40 != 0 { connect.authenticationMethod = "x" }
        }
        if flags & 0x10 != 0 {
            connect.will = Will(
                topic: topic, payload: [more], qos: QoS(rawValue: more & 3) ?? .atMostOnce, retain: more & 4 != 0,
                delay: version == .v5 ? UInt32(more >> 4) : 0,
                properties: version == .v5 && more & 8 != 0 ? [1, 1] : [])
        }
        if flags & 0x20 != 0 { connect.username = Array((more & 0x80 == 0 ? "adam" : "eve").utf8) }
        return connect.encode()
    }

    private static func publish(
        _ flags: UInt8, _ version: ProtocolVersion, _ topic: [UInt8], _ identifier: UInt16, _ size: Int, _ more: UInt8
    ) -> [UInt8] {
        let qos = QoS(rawValue: flags & 3) ?? .atMostOnce
        let payload = [UInt8](repeating: more, count: more & 0x80 == 0 ? size : size * 15)
        let properties: [UInt8] = version == .v5 && flags & 0x40 != 0 ? [0x01, more & 1] : []
        return topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                properties.withUnsafeBytes { properties in
                    let head = PublishHead(
                        topic: topic, qos: qos, isDuplicate: qos != .atMostOnce && flags & 8 != 0,
                        retain: flags & 4 != 0, packetIdentifier: qos == .atMostOnce ? 0 : identifier + 1,
                        properties: properties,
                        messageExpiryInterval: version == .v5 && flags & 0x20 != 0 ? UInt32(more & 7) : nil,
                        topicAlias: version == .v5 && flags & 0x10 != 0 ? UInt16(more & 3) : 0)
                    let count = head.encodedLength(version: version, payloadCount: payload.count)
                    return [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
                        guard let base = UnsafeMutableRawPointer(buffer.baseAddress) else { return }
                        written = head.encode(version: version, payload: payload, into: base)
                    }
                }
            }
        }
    }
}
