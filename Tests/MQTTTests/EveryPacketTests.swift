import MQTT
import Testing

/// What holds for every packet there is.
@Suite struct EveryPacketTests {
    @Test(arguments: Sample.all) func roundTrip(_ sample: Sample) throws {
        let decoded = try decode(sample.bytes, sample.version)

        #expect(decoded != nil)
        if let expected = sample.decoded { #expect(decoded == expected) }
    }

    @Test func everyTypeIsAmongTheSamples() {
        #expect(Set(Sample.all.map { $0.bytes[0] >> 4 }) == Set(1...15))
    }

    @Test("a byte at a time is incomplete until whole", arguments: Sample.all) func byteAtATime(_ sample: Sample) throws
    {
        let memory = GuardedMemory(atLeast: sample.bytes.count)
        for count in 0..<sample.bytes.count {
            let buffer = memory.place(sample.bytes[..<count])
            guard case .incomplete(let needed) = try Frame(reading: buffer, maximum: .max) else {
                Issue.record("complete after \(count) of \(sample.bytes.count) bytes")
                return
            }
            #expect(needed == 0 || needed == sample.bytes.count)
            #expect(try readFrame(buffer, maximum: .max) == nil)
        }
        #expect(try readFrame(memory.place(sample.bytes), maximum: .max)?.length == sample.bytes.count)
    }

    @Test("a body cut anywhere is refused or another packet, and never read beyond", arguments: Sample.all)
    func truncated(_ sample: Sample) throws {
        let memory = GuardedMemory(atLeast: sample.bytes.count)
        let raw = try #require(try readFrame(memory.place(sample.bytes), maximum: .max))
        let (type, flags, body) = (raw.type, raw.flags, Array(raw.body))
        for count in 0..<body.count {
            let cut = RawPacket(type: type, flags: flags, body: memory.place(body[..<count]), length: count + 2)
            do throws(MQTTError) {
                let decoded = try decode(cut, sample.version)
                // What may be cut and still mean something: a payload, a list, or what is optional at the end.
                #expect(sample.mayBeCut, "\(sample.name) cut at \(count) of \(body.count): \(decoded)")
            } catch {
                #expect(error.reason.isError && !error.detail.isEmpty)
            }
        }
    }

    @Test("a byte behind the last field is refused", arguments: Sample.all) func trailing(_ sample: Sample) throws {
        let memory = GuardedMemory(atLeast: sample.bytes.count + 1)
        let raw = try #require(try readFrame(memory.place(sample.bytes), maximum: .max))
        guard ![PacketType.publish, .pingreq, .pingresp].contains(raw.type) else { return }
        // Further Reason Codes, or the optional ones of the short forms, are no mistake; 0xFF is none of them.
        let body = Array(raw.body) + [0xFF]
        let longer = RawPacket(type: raw.type, flags: raw.flags, body: memory.place(body), length: body.count + 2)

        #expect(throws: MQTTError.self) { try decode(longer, sample.version) }
    }
}

extension Sample {
    fileprivate var mayBeCut: Bool {
        switch bytes[0] >> 4 {
        case 3, 8, 10: true
        case 9, 11: true
        case 4...7, 14, 15: version == .v5
        default: false
        }
    }
}
