import Glibc
import MQTT
import Testing

@testable import Uplink

@Suite struct BatchTests {
    private static func expiring(_ seconds: UInt32) -> [UInt8] {
        var writer = PropertyWriter()
        writer.append(UserProperty("unit", "°C"))
        writer.append(.messageExpiryInterval, fourBytes: seconds)
        writer.append(.contentType, Array("text/plain".utf8))
        return writer.bytes
    }

    @Test(arguments: [BatchLevel.fast, .high])
    func messagesComeBackAsPublished(level: BatchLevel) throws {
        let samples = [
            Sample(), Sample(topic: "a", payload: "", qos: .atMostOnce, retain: true),
            Sample(qos: .exactlyOnce, properties: Self.expiring(100), expiry: 7),
            Sample(time: WallTime(milliseconds: 12345, isSet: false)),
        ]

        let (header, inner, _) = try openBatch(makeBatch(samples, level: level))

        #expect(header == makeHeader())
        #expect(inner.map(\.topic) == samples.map(\.topic))
        #expect(inner.map(\.payload) == samples.map(\.payload))
        #expect(inner.map(\.qos) == samples.map(\.qos))
        #expect(inner.map(\.retain) == [false, true, false, false])
        #expect(inner.map(\.expiry) == [nil, nil, 7, nil])
        #expect(inner[0].user == ["t=1732413600123", "via=pump-7"])
        #expect(inner[2].user == ["unit=°C", "t=1732413600123", "via=pump-7"])
        #expect(inner[3].user == ["t=12345?", "via=pump-7"])
    }

    @Test func anEmptyBatchIsABatch() throws {
        let (header, inner, length) = try openBatch(makeBatch([], header: makeHeader(sequence: 9)))

        #expect(header.sequence == 9)
        #expect(inner.isEmpty)
        #expect(length > 0)
    }

    @Test func batchesStandEndToEnd() throws {
        let first = makeBatch([Sample(payload: "1")])
        let second = makeBatch([Sample(payload: "2")], header: makeHeader(sequence: 2))

        let (_, inner, length) = try openBatch(first + second)
        let (_, rest, _) = try openBatch(Array((first + second)[length...]))

        #expect(length == first.count)
        #expect(inner.map(\.payload) == ["1"])
        #expect(rest.map(\.payload) == ["2"])
    }

    @Test(arguments: [BatchLevel.fast, .high], [1, 100, 5000])
    func theLz4CommandOpensIt(level: BatchLevel, count: Int) throws {
        let samples = (0..<count).map { Sample(payload: "{\"n\":\($0)}") }
        let batch = makeBatch(samples, level: level)
        let path = "/tmp/roost-batch-\(getpid())-\(level)-\(count).lz4"
        let file = try #require(fopen(path, "w"))
        fwrite(batch, 1, batch.count, file)
        fclose(file)
        defer { unlink(path) }

        let pipe = try #require(popen("lz4 -dc \(path)", "r"))
        var printed: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let got = fread(&buffer, 1, buffer.count, pipe), got > 0 { printed += buffer[..<got] }

        #expect(pclose(pipe) == 0)
        printed.withUnsafeBytes { bytes in
            #expect(payloads(of: bytes) == samples.map(\.payload))
        }
    }

    @Test func theRoutesTopicIsApplied() throws {
        let mapping = try TopicMapping("{node}/{topic}", node: "pump-7", labels: [])

        let (_, inner, _) = try openBatch(makeBatch([Sample(topic: "a/b")], mapping: mapping))

        #expect(inner.map(\.topic) == ["pump-7/a/b"])
    }

    @Test func aTopicThatGrowsTooLongIsNotCarried() throws {
        let mapping = try TopicMapping("{topic}/{topic}", node: "n", labels: [])
        var packets = BatchPackets(mapping: mapping, node: "n")
        let long = String(repeating: "x", count: 40_000)

        let tookLong = packets.append(Sample(topic: long))
        let tookShort = packets.append(Sample(topic: "short"))
        let count = packets.count

        #expect(!tookLong)
        #expect(tookShort)
        #expect(count == 1)
    }

    @Test func shardIsTheFirstByteOfSHA256() {
        // printf pump-7 | sha256sum
        #expect(Batch.topic(prefix: "roost/batch", node: "pump-7").hasPrefix("roost/batch/"))
        #expect(Batch.shard(of: "abc") == "ba")
        #expect(Batch.shard(of: "") == "e3")
    }

    @Test func aBombIsSeenBeforeItIsOpened() throws {
        let batch = makeBatch([Sample(payload: String(repeating: "0", count: 100_000))])

        #expect(batch.count < 2000)
        #expect(throws: BatchRefusal.bomb(limitBytes: 65536)) { try openBatch(batch, limitBytes: 65536) }
    }

    @Test func whatJustFitsIsOpened() throws {
        var packets = BatchPackets(mapping: .identity, node: "pump-7")
        packets.add(Sample(payload: String(repeating: "0", count: 70_000)))
        let size = packets.byteCount
        let batch = makeBatch(packets: packets.bytes, header: makeHeader())

        _ = try openBatch(batch, limitBytes: size)
        #expect(throws: BatchRefusal.bomb(limitBytes: size - 1)) { try openBatch(batch, limitBytes: size - 1) }
    }

    @Test func aFlippedBitInTheContentIsACheckSum() throws {
        var packets = BatchPackets(mapping: .identity, node: "pump-7")
        var numbers = SplitMix64(state: 3)
        let noise = (0..<500).map { _ in String(numbers.next(), radix: 36) }.joined()
        packets.add(Sample(payload: noise))
        var batch = makeBatch(packets: packets.bytes, header: makeHeader())
        batch[batch.count - 200] ^= 1

        #expect(throws: BatchRefusal.checksum) { try openBatch(batch) }
    }

    @Test(
        arguments: [
            "not a publish": [0xC0, 0x00], "cut short": [0x30, 0x05, 0x00, 0x01],
            "topic alias": [
                0x30, 0x07, 0x00, 0x01, 0x61, 0x03, 0x23, 0x00, 0x01,
            ], "subscription identifier": [0x30, 0x06, 0x00, 0x01, 0x61, 0x02, 0x0B, 0x01],
            "wildcard": [0x30, 0x04, 0x00, 0x01, 0x23, 0x00],
        ] as [String: [UInt8]])
    func whatIsNoStoredPublishIsRefused(name: String, bytes: [UInt8]) {
        let batch = bytes.withUnsafeBytes { makeBatch(packets: $0, header: makeHeader()) }

        #expect(throws: BatchRefusal.self, "\(name)") { try openBatch(batch) }
    }

    @Test func numbersEndAt64Bits() {
        let batch = makeBatch([Sample()], header: makeHeader(sequence: .max))

        #expect(throws: BatchRefusal.self) { try openBatch(batch) }
    }

    @Test(arguments: 1...20)
    func brokenBytesNeverCrash(seed: UInt64) {
        var numbers = SplitMix64(state: seed)
        let gap = BatchGap(
            run: BatchRun(epoch: 1), first: 1, last: 2, reason: "evicted", from: WallTime(milliseconds: 1),
            to: WallTime(milliseconds: 2))
        let samples = (0..<20).map { Sample(payload: "\($0)", properties: Self.expiring(9), expiry: 3) }
        let whole = makeBatch(samples, header: makeHeader(gaps: [gap, gap]), level: seed % 2 == 0 ? .fast : .high)
        let reader = BatchReader(limitBytes: 100_000)
        var opened = 0
        for _ in 0..<500 {
            var batch = whole
            switch numbers.next() % 4 {
            case 0:
                for _ in 0..<1 + numbers.next() % 4 {
                    batch[Int(numbers.next() % UInt64(batch.count))] = UInt8(truncatingIfNeeded: numbers.next())
                }
            case 1: batch.removeLast(Int(numbers.next() % UInt64(batch.count + 1)))
            case 2:
                batch.insert(UInt8(truncatingIfNeeded: numbers.next()), at: Int(numbers.next() % UInt64(batch.count)))
            default: batch = (0..<Int(numbers.next() % 200)).map { _ in UInt8(truncatingIfNeeded: numbers.next()) }
            }
            batch.withUnsafeBytes { bytes in
                guard let result = try? reader.open(bytes) else { return }
                opened += 1
                #expect(result.packets.reduce(0) { count, _ in count + 1 } == result.count)
            }
        }

        #expect(opened < 500)
    }
}
