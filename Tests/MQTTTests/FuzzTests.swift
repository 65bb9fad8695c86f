import MQTT
import Testing

/// Bytes that nobody meant: whatever they are, the answer is a packet, an error or more bytes, without a read beyond.
@Suite struct FuzzTests {
    @Test func randomBytes() {
        var random = Random(seed: 1)
        let memory = GuardedMemory(atLeast: 64)
        for _ in 0..<100_000 {
            var source: [UInt8] = []
            for _ in 0..<Int(random.next() % 24) {
                source.append(random.byte() & (random.next() % 2 == 0 ? 0xFF : 0x1F))
            }
            if source.count >= 2 { source[1] = UInt8(source.count - 2) }
            consume(memory.place(source), random.next() % 2 == 0 ? .v5 : .v311)
        }
    }

    @Test func samplesWithAFewBytesChanged() {
        var random = Random(seed: 2)
        let memory = GuardedMemory(atLeast: 1024)
        let samples = Sample.all
        for _ in 0..<100_000 {
            let sample = samples[Int(random.next() % UInt64(samples.count))]
            var source = sample.bytes
            for _ in 0...Int(random.next() % 3) {
                source[Int(random.next() % UInt64(source.count))] = random.byte()
            }
            consume(memory.place(source), sample.version)
        }
    }

    @Test func whatDecodesEncodesToTheSameMeaning() throws {
        var random = Random(seed: 4)
        var survivors = 0
        for _ in 0..<40_000 {
            let sample = Sample.all[Int(random.next() % UInt64(Sample.all.count))]
            var source = sample.bytes
            source[Int(random.next() % UInt64(source.count))] = random.byte()
            guard let decoded = try? decode(source, sample.version) else { continue }
            guard let again = encode(decoded, sample.version) else { continue }
            #expect(try decode(again, sample.version) == decoded, "\(hex(source)) became \(hex(again))")
            survivors += 1
        }
        #expect(survivors > 1_000)
    }

    private func consume(_ buffer: UnsafeRawBufferPointer, _ version: ProtocolVersion) {
        do throws(MQTTError) {
            guard let raw = try readFrame(buffer, maximum: 4096, version: version) else { return }
            _ = try decode(raw, version)
        } catch {
            precondition(error.reason.isError)
        }
    }

    private func encode(_ decoded: Decoded, _ version: ProtocolVersion) -> [UInt8]? {
        switch decoded {
        case .connect(let packet): packet.encode()
        case .connack(let packet): packet.encode(version: version)
        case .acknowledgement(let packet): packet.encode(version: version)
        case .subscribe(let packet): packet.encode(version: version)
        case .suback(let packet): packet.encode(version: version)
        case .unsubscribe(let packet): packet.encode(version: version)
        case .unsuback(let packet): packet.encode(version: version)
        case .disconnect(let packet): packet.encode(version: version)
        case .auth(let packet): version == .v5 ? packet.encode() : nil
        case .publish, .ping: nil
        }
    }
}
