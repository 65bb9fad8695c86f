import MQTT
import Testing

@Suite struct FrameTests {
    private func read(
        _ bytes: [UInt8], maximum: Int = .max, version: ProtocolVersion = .v5
    ) throws(MQTTError) -> (type: PacketType, body: [UInt8], length: Int)? {
        let result = bytes.withUnsafeBytes { buffer -> Result<(PacketType, [UInt8], Int)?, MQTTError> in
            do throws(MQTTError) {
                let raw = try readFrame(buffer, maximum: maximum, version: version)
                return .success(raw.map { ($0.type, Array($0.body), $0.length) })
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    @Test func readsOnePacketAndNothingBehindIt() throws {
        let frame = try read(bytes("40 02 0001 C0 00"))

        #expect(frame?.type == .puback)
        #expect(frame?.body == [0, 1])
        #expect(frame?.length == 4)
    }

    @Test("[MQTT-2.1.3-1] reserved flags of every type but PUBLISH", arguments: PacketType.allCases)
    func reservedFlags(type: PacketType) {
        for flags in UInt8(0)...15 where type != .publish && flags != type.reservedFlags {
            #expect(throws: MQTTError.self) { try read([type.rawValue << 4 | flags]) }
        }
        #expect(throws: Never.self) { try read([type.firstByte]) }
    }

    @Test("§2.1.2 type 0 is forbidden") func typeZero() {
        for flags in UInt8(0)...15 { #expect(throws: MQTTError.self) { try read([flags, 0]) } }
    }

    @Test(
        "§1.5.5 Remaining Length",
        arguments: [
            ("7F", 127), ("80 01", 128), ("FF 7F", 16_383), ("80 80 01", 16_384), ("FF FF 7F", 2_097_151),
            ("80 80 80 01", 2_097_152), ("FF FF FF 7F", 268_435_455),
        ])
    func remainingLength(text: String, value: Int) throws {
        let header = bytes("30 " + text)

        for count in 0..<header.count {
            #expect(try needed(Array(header[..<count])) == 0)
        }
        #expect(try needed(header) == header.count + value)
        var memory: [UInt8] = Array(repeating: 0, count: 4)
        let count = memory.withUnsafeMutableBytes { VariableByteInteger.encode(value, into: $0.baseAddress!) }
        #expect(Array(memory[..<count]) == Array(header[1...]))
        #expect(VariableByteInteger.encodedLength(value) == count)
    }

    private func needed(_ bytes: [UInt8]) throws -> Int? {
        try bytes.withUnsafeBytes { buffer in
            guard case .incomplete(let needed) = try Frame(reading: buffer, maximum: .max) else { return nil }
            return needed
        }
    }

    @Test("§2.1.4 malformed Remaining Length", arguments: ["30 FFFFFFFF", "30 80808080", "C0 8000", "30 808000"])
    func malformedLength(text: String) {
        #expect { try read(bytes(text)) } throws: { ($0 as? MQTTError)?.reason == .malformedPacket }
    }

    @Test("3.1.1 §2.2.3 a padded Remaining Length is not forbidden there") func paddedLength() throws {
        #expect(try read(bytes("40 828000 0001"), version: .v311)?.body == [0, 1])
        #expect(throws: MQTTError.self) { try read(bytes("40 828000 0001"), version: .v5) }
    }

    @Test("[MQTT-3.1.2-24] too large is said as soon as the length is known") func tooLarge() throws {
        let header = bytes("30 80 08")

        #expect(try read(header, maximum: 1027) == nil)
        #expect { try read(header, maximum: 1026) } throws: { ($0 as? MQTTError)?.reason == .packetTooLarge }
    }

    @Test("§3.12.1 pings have no body", arguments: ["C0 01 00", "D0 01"])
    func pingWithBody(text: String) {
        #expect { try read(bytes(text)) } throws: { ($0 as? MQTTError)?.reason == .malformedPacket }
    }

    @Test func pingConstants() throws {
        #expect(try decode(Ping.request, .v5) == .ping(.pingreq))
        #expect(try decode(Ping.response, .v311) == .ping(.pingresp))
    }
}
