import MQTT
import Testing

/// Every property in every packet: MQTT 5 §2.2.2.2 table 2-4.
@Suite struct PropertyTests {
    enum Place: CaseIterable, Sendable {
        case connect, will, connack, publish, puback, pubrec, pubrel, pubcomp, subscribe, suback, unsubscribe, unsuback
        case disconnect, auth

        func packet(_ properties: [UInt8]) -> [UInt8] {
            let block = [UInt8(properties.count)] + properties
            let (first, before, after): (UInt8, String, String) =
                switch self {
                case .connect: (0x10, "0004 'MQTT' 05 02 0000", "0000")
                case .will: (0x10, "0004 'MQTT' 05 06 0000 00 0000", "0001 'w' 0000")
                case .connack: (0x20, "00 00", "")
                case .publish: (0x30, "0001 'a'", "'payload'")
                case .puback: (0x40, "0001 00", "")
                case .pubrec: (0x50, "0001 00", "")
                case .pubrel: (0x62, "0001 00", "")
                case .pubcomp: (0x70, "0001 00", "")
                case .subscribe: (0x82, "0001", "0001 'a' 00")
                case .suback: (0x90, "0001", "00")
                case .unsubscribe: (0xA2, "0001", "0001 'a'")
                case .unsuback: (0xB0, "0001", "00")
                case .disconnect: (0xE0, "00", "")
                case .auth: (0xF0, "18", "")
                }
            let body = bytes(before) + block + bytes(after)
            return [first, UInt8(body.count)] + body
        }
    }

    struct Row: Sendable {
        var identifier: PropertyIdentifier
        var encoded: String
        var places: Set<Place>
    }

    private static let acknowledging: Set<Place> = [.puback, .pubrec, .pubrel, .pubcomp, .suback, .unsuback]
    private static let messages: Set<Place> = [.publish, .will]
    static let table: [Row] = [
        Row(identifier: .payloadFormatIndicator, encoded: "01 01", places: messages),
        Row(identifier: .messageExpiryInterval, encoded: "02 00000001", places: messages),
        Row(identifier: .contentType, encoded: "03 0001 't'", places: messages),
        Row(identifier: .responseTopic, encoded: "08 0001 'r'", places: messages),
        Row(identifier: .correlationData, encoded: "09 0001 00", places: messages),
        Row(identifier: .subscriptionIdentifier, encoded: "0B 01", places: [.publish, .subscribe]),
        Row(identifier: .sessionExpiryInterval, encoded: "11 00000001", places: [.connect, .connack, .disconnect]),
        Row(identifier: .assignedClientIdentifier, encoded: "12 0001 'c'", places: [.connack]),
        Row(identifier: .serverKeepAlive, encoded: "13 0001", places: [.connack]),
        Row(identifier: .authenticationMethod, encoded: "15 0001 'm'", places: [.connect, .connack, .auth]),
        Row(identifier: .authenticationData, encoded: "16 0001 00", places: [.connect, .connack, .auth]),
        Row(identifier: .requestProblemInformation, encoded: "17 00", places: [.connect]),
        Row(identifier: .willDelayInterval, encoded: "18 00000001", places: [.will]),
        Row(identifier: .requestResponseInformation, encoded: "19 01", places: [.connect]),
        Row(identifier: .responseInformation, encoded: "1A 0001 'i'", places: [.connack]),
        Row(identifier: .serverReference, encoded: "1C 0001 's'", places: [.connack, .disconnect]),
        Row(
            identifier: .reasonString, encoded: "1F 0001 'r'",
            places: acknowledging.union([.connack, .disconnect, .auth])),
        Row(identifier: .receiveMaximum, encoded: "21 0001", places: [.connect, .connack]),
        Row(identifier: .topicAliasMaximum, encoded: "22 0001", places: [.connect, .connack]),
        Row(identifier: .topicAlias, encoded: "23 0001", places: [.publish]),
        Row(identifier: .maximumQoS, encoded: "24 01", places: [.connack]),
        Row(identifier: .retainAvailable, encoded: "25 00", places: [.connack]),
        Row(identifier: .userProperty, encoded: "26 0001 'k' 0001 'v'", places: Set(Place.allCases)),
        Row(identifier: .maximumPacketSize, encoded: "27 00000100", places: [.connect, .connack]),
        Row(identifier: .wildcardSubscriptionAvailable, encoded: "28 00", places: [.connack]),
        Row(identifier: .subscriptionIdentifierAvailable, encoded: "29 00", places: [.connack]),
        Row(identifier: .sharedSubscriptionAvailable, encoded: "2A 00", places: [.connack]),
    ]

    /// What must stand beside a property for the packet to be valid.
    private func company(_ identifier: PropertyIdentifier, _ place: Place) -> [UInt8] {
        let needsMethod = place == .auth || (place == .connect && identifier == .authenticationData)
        return needsMethod && identifier != .authenticationMethod ? bytes("15 0001 'm'") : []
    }

    @Test func tableHasEveryProperty() {
        #expect(Self.table.map(\.identifier) == PropertyIdentifier.allCases)
        #expect(PropertyIdentifier.allCases.count == 27)
    }

    @Test("§2.2.2.2 allowed, out of place, repeated", arguments: Place.allCases) func places(_ place: Place) {
        for row in Self.table {
            let property = bytes(row.encoded)
            let company = company(row.identifier, place)
            let once = refusal(place.packet(company + property), .v5)
            let twice = refusal(place.packet(company + property + property), .v5)
            if row.places.contains(place) {
                #expect(once == nil, "\(row.identifier) in \(place)")
                let mayRepeat =
                    row.identifier == .userProperty || (row.identifier == .subscriptionIdentifier && place == .publish)
                #expect(twice?.reason == (mayRepeat ? nil : .protocolError), "\(row.identifier) twice in \(place)")
            } else {
                #expect(once?.reason == .malformedPacket, "\(row.identifier) in \(place)")
            }
        }
    }

    @Test("§2.2.2.2 unknown properties", arguments: Place.allCases) func unknown(_ place: Place) {
        let known = Set(PropertyIdentifier.allCases.map(\.rawValue))
        for identifier in UInt8(0)...255 where !known.contains(identifier) {
            #expect(refusal(place.packet([identifier, 0, 0, 0, 0]), .v5)?.reason == .malformedPacket)
        }
    }

    @Test("every property cut short", arguments: table) func truncated(_ row: Row) {
        let property = bytes(row.encoded)
        for place in row.places {
            for count in 1..<property.count {
                let error = refusal(place.packet(Array(property[..<count])), .v5)
                #expect(error?.reason == .malformedPacket, "\(row.identifier) in \(place) cut at \(count)")
            }
        }
    }

    @Test func readerWalksWhatWriterWrote() throws {
        var writer = PropertyWriter()
        writer.append(.payloadFormatIndicator, byte: 1)
        writer.append(.topicAlias, twoBytes: 0x0102)
        writer.append(.messageExpiryInterval, fourBytes: 0x0102_0304)
        writer.append(.subscriptionIdentifier, variable: 300)
        writer.append(.contentType, "text".utf8)
        writer.append(.correlationData, [0, 255])
        writer.append(UserProperty("k", "v"))

        writer.bytes.withUnsafeBytes { raw in
            let properties = Array(PropertyReader(raw))
            #expect(
                properties.map(\.identifier) == [
                    .payloadFormatIndicator, .topicAlias, .messageExpiryInterval, .subscriptionIdentifier, .contentType,
                    .correlationData, .userProperty,
                ])
            #expect(properties.flatMap { Array($0.encoded) } == writer.bytes)
            if case .variableByteInteger(let number) = properties[3].value { #expect(number == 300) }
            if case .pair(let name, let value) = properties[6].value {
                #expect(UserProperty(name, value) == UserProperty("k", "v"))
            }
        }
    }

    @Test func readerEndsAtWhatIsNoProperty() {
        bytes("01 01 FF 01 01").withUnsafeBytes { raw in
            #expect(Array(PropertyReader(raw)).count == 1)
        }
    }
}
