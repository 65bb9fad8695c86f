import Glibc
import MQTT
import Testing
import Uplink

@testable import roost

/// The parts of `roost store import`: what files say, and what is made of a message. The whole is tested end to end.
@Suite struct StoreImportTests {
    private static let limit = 1 << 20

    private final class Folder {
        let path: String

        init() throws {
            var template = Array("/tmp/roost-import-XXXXXX".utf8CString)
            path = try String(cString: #require(mkdtemp(&template)))
        }

        deinit { Files.removeAll(path) }

        func write(_ bytes: [UInt8], to name: String) throws -> String {
            let file = try #require(fopen("\(path)/\(name)", "w"))
            defer { fclose(file) }
            #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
            return "\(path)/\(name)"
        }
    }

    private static func batch(_ payloads: [[UInt8]], first: UInt64 = 1, at time: Int64 = 1_795_000_000_000) -> [UInt8] {
        let writer = BatchWriter(node: "pump-7")
        let topic = Array("load/x".utf8)
        for payload in payloads {
            topic.withUnsafeBytes { topic in
                payload.withUnsafeBytes { payload in
                    let view = PublishView(topic: topic, payload: payload, qos: .atLeastOnce)
                    #expect(writer.append(view, receivedAt: WallTime(milliseconds: time)))
                }
            }
        }
        return writer.finish(
            BatchHeader(
                node: "pump-7", route: "cloud/load", run: BatchRun(epoch: 7), sequence: first,
                madeAt: WallTime(milliseconds: time)))
    }

    private func payloads(_ paths: [String], limit: Int = limit) throws -> [String] {
        let files = BatchFiles(paths, limitBytes: limit)
        var found: [String] = []
        while case .batch(let batch) = try files.next() {
            found += batch.packets.map { String(decoding: $0.payload.prefix(8), as: UTF8.self) }
        }
        return found
    }

    @Test func filesAreReadInTheirOrderWhateverTheirSize() throws {
        let folder = try Folder()
        let long = (0..<700_000).map { _ in UInt8.random(in: 0...255) }
        let first = try folder.write(
            Self.batch([Array("a".utf8), Array("b".utf8)]) + Self.batch([], first: 3)
                + Self.batch([Array("c-------".utf8) + long], first: 3), to: "1")
        let second = try folder.write(Self.batch([Array("d".utf8)], first: 4), to: "2")
        let empty = try folder.write([], to: "3")

        #expect(try payloads([first, empty, second]) == ["a", "b", "c-------", "d"])
        let contents = try BatchFiles.survey([first, empty, second], limitBytes: Self.limit)
        #expect(contents.batches == 4 && contents.messages == 4 && contents.isComplete && contents.damage == nil)
    }

    enum Damage: String, CaseIterable {
        case cut, cutInMagic, cutInHeader, flipped, garbage, longHeader

        /// - Parameter start: of the second batch.
        func apply(to bytes: [UInt8], _ start: Int) -> [UInt8] {
            let before = Array(bytes[..<start])
            switch self {
            case .cut: return Array(bytes.dropLast())
            case .cutInMagic: return Array(bytes[..<(start + 3)])
            case .cutInHeader: return Array(bytes[..<(start + 30)])
            case .flipped:
                var flipped = bytes
                flipped[bytes.count - 9] ^= 1
                return flipped
            case .garbage: return before + [UInt8](repeating: 0xA5, count: 100)
            case .longHeader: return before + [0x50, 0x2A, 0x4D, 0x18, 255, 255, 255, 255]
            }
        }

        var text: String {
            switch self {
            case .cut, .cutInMagic, .cutInHeader: "cut short"
            case .flipped: ""
            case .garbage: "not a batch"
            case .longHeader: "header of 4294967295 bytes"
            }
        }
    }

    /// A flip, a cut or a stranger: told with the file and where its batch begins, after what is right before it.
    @Test(arguments: Damage.allCases)
    func damageIsNamedByFileAndOffset(damage: Damage) throws {
        let folder = try Folder()
        let good = Self.batch([Array("good".utf8)])
        let both = good + Self.batch([Array("bad".utf8)], first: 2)
        let file = try folder.write(damage.apply(to: both, good.count), to: "file")

        let contents = try BatchFiles.survey([file], limitBytes: Self.limit)

        let found = try #require(contents.damage)
        #expect(contents.messages == 1)
        #expect(found.offset == good.count)
        #expect(found.text.hasPrefix("\(file), the batch at byte \(good.count): "))
        #expect(damage.text.isEmpty || found.detail.contains(damage.text))
        let failure = #expect(throws: Failure.self) { try StoreCommand.Import.parse([file]).run() }
        #expect(failure?.code == .refused)
        #expect(failure?.message.contains("--partial publishes the 1 message ") == true)
    }

    @Test func aBombIsRefusedBeforeItGrows() throws {
        let folder = try Folder()
        let bomb = try folder.write(Self.batch([[UInt8](repeating: 0, count: 8 << 20)]), to: "bomb")
        let long = (0..<(3 << 20)).map { _ in UInt8.random(in: 0...255) }
        let large = try folder.write(Self.batch([long]), to: "large")

        for file in [bomb, large] {
            let damage = try #require(try BatchFiles.survey([file], limitBytes: Self.limit).damage)
            #expect(damage.detail == "it holds more than 1 MiB when decompressed (--max-batch)")
        }
        #expect(try BatchFiles.survey([bomb, large], limitBytes: 16 << 20).messages == 2)
    }

    @Test(arguments: ["/nowhere/x.lz4", "/tmp"])
    func whatCanNotBeReadIsNamed(path: String) throws {
        let failure = #expect(throws: Failure.self) { try BatchFiles.survey([path], limitBytes: Self.limit) }
        #expect(failure?.code == .refused && failure?.message.hasPrefix(path) == true)
    }

    /// Whatever bytes come, the end of a batch is found or refused, and never beyond what is there to read.
    @Test func noBytesCrashTheReader() throws {
        var random = SystemRandomNumberGenerator()
        let good = Self.batch([Array("a".utf8), Array(repeating: 65, count: 5000)])
        for _ in 0..<3000 {
            var bytes = good + good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
            bytes.withUnsafeBytes { bytes in
                if let length = try? Batch.length(bytes, limitBytes: Self.limit) { #expect(length > 8) }
            }
        }
    }

    struct Aging: Sendable {
        var interval: UInt32?
        var time: String
        var now: Int64
        /// nil: the message is left out.
        var left: [UInt32]?
    }

    static let agings = [
        Aging(interval: nil, time: "", now: 0, left: []),
        Aging(interval: 60, time: "1000", now: 11_000, left: [50]),
        Aging(interval: 60, time: "1000", now: 60_999, left: [1]),
        Aging(interval: 60, time: "1000", now: 61_000, left: nil),
        Aging(interval: 60, time: "1000?", now: 99_000, left: [60]),
        Aging(interval: 60, time: "", now: 99_000, left: [60]),
        Aging(interval: 60, time: "1000", now: 500, left: [60]),
    ]

    @Test(arguments: agings)
    func theIntervalThatIsLeftIsPublished(aging: Aging) throws {
        var writer = PropertyWriter()
        writer.append(UserProperty("unit", "°C"))
        if let interval = aging.interval { writer.append(.messageExpiryInterval, fourBytes: interval) }
        if !aging.time.isEmpty { writer.append(UserProperty("t", aging.time)) }

        let properties: [UInt8]? = writer.bytes.withUnsafeBytes { bytes in
            var view = PublishView(topic: bytes, payload: bytes, properties: bytes)
            view.messageExpiryInterval = aging.interval
            return Importer.properties(of: view, now: aging.now)
        }

        #expect(properties.map(Self.intervals) == aging.left)
        if let properties { #expect(properties.count == writer.bytes.count) }
    }

    private static func intervals(_ properties: [UInt8]) -> [UInt32] {
        var found: [UInt32] = []
        properties.withUnsafeBytes { bytes in
            for property in PropertyReader(bytes) where property.identifier == .messageExpiryInterval {
                if case .fourByteInteger(let value) = property.value { found.append(value) }
            }
        }
        return found
    }

    @Test func progressTellsRateAndTimeLeft() {
        #expect(
            StoreProgress.line(1000, of: 4000, "messages", after: .seconds(2))
                == "25 %  1,000 of 4,000 messages, 500/s, 6 s left")
        #expect(StoreProgress.line(0, of: 10, "pages", after: .zero) == "0 %  0 of 10 pages")
    }
}
