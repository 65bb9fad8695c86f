/// UNSUBSCRIBE, MQTT 5 §3.10.
public struct Unsubscribe: Equatable, Sendable {
    public var packetIdentifier: UInt16
    /// Valid Topic Filters, at least one.
    public var filters: [[UInt8]]
    public var userProperties: [UserProperty]

    public init(packetIdentifier: UInt16, filters: [[UInt8]], userProperties: [UserProperty] = []) {
        self.packetIdentifier = packetIdentifier
        self.filters = filters
        self.userProperties = userProperties
    }

    /// - Throws: 0x81 for a bad Topic Filter; 0x82 for none [MQTT-3.10.3-2], Packet Identifier 0.
    public init(_ packet: RawPacket, version: ProtocolVersion) throws(MQTTError) {
        var reader = ByteReader(packet.body)
        self.init(packetIdentifier: try reader.packetIdentifier(), filters: [])
        if version == .v5 {
            var properties = PacketProperties(try reader.properties(), allowed: .unsubscribe)
            while let property = try properties.next() {
                guard case .pair(let name, let value) = property.value else { continue }
                userProperties.append(UserProperty(name, value))
            }
        }
        repeat {
            guard !reader.isAtEnd else { throw .violation("[MQTT-3.10.3-2] an UNSUBSCRIBE without a Topic Filter") }
            let filter = try reader.binary()
            _ = try TopicFilter(filter)
            filters.append([UInt8](filter))
        } while !reader.isAtEnd
    }

    public func encode(version: ProtocolVersion) -> [UInt8] {
        var body: [UInt8] = []
        body.append(integer: packetIdentifier)
        var writer = PropertyWriter()
        writer.append(userProperties)
        body.append(properties: writer, version: version)
        for filter in filters { body.append(prefixed: filter) }
        return .packet(.unsubscribe, body)
    }
}
