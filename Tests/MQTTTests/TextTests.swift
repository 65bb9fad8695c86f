import MQTT
import Testing

@Suite struct TextTests {
    private static let wellFormed = [
        "", "61", "'twelve bytes'", "C280", "DFBF", "E0A080", "ED9FBF", "EE8080", "EFBFBF", "F0908080", "F48FBFBF",
        "'temperature/' C3BC '/room'", "01", "7F", "EFBBBF 41", "EFBFBE", "C2 85",
    ]

    @Test("[MQTT-1.5.4-1] well-formed", arguments: wellFormed)
    func accepts(text: String) {
        #expect(bytes(text).withUnsafeBytes { isWellFormedUTF8($0) })
    }

    private static let illFormed = [
        "00", "80", "BF", "C0 80", "C1BF", "C2", "C2 20", "E0 80 80", "E09FBF", "E1 80", "E1 80 C0", "EDA080", "EDBFBF",
        "F0 80 80 80", "F08FBFBF", "F4908080", "F5808080", "FE", "FF", "F0 90 80", "F1 80 80 20", "C3",
    ]

    @Test("[MQTT-1.5.4-1] [MQTT-1.5.4-2] ill-formed, wherever it stands", arguments: illFormed)
    func refuses(text: String) {
        let bad = bytes(text)
        for before in 0...17 {
            for after in 0...9 {
                let whole =
                    Array(repeating: UInt8(ascii: "x"), count: before) + bad
                    + Array(repeating: UInt8(ascii: "y"), count: after)
                #expect(!whole.withUnsafeBytes { isWellFormedUTF8($0) }, "\(text) at \(before)")
                #expect(!whole.withUnsafeBytes { TopicName.isValid($0) })
            }
        }
    }

    @Test func agreesWithSwiftOnRandomBytes() {
        var random = Random(seed: 5)
        for _ in 0..<20_000 {
            let text = (0..<Int(random.next() % 12)).map { _ in random.textByte() }
            let expected = !text.contains(0) && String(validating: text, as: UTF8.self) != nil
            #expect(text.withUnsafeBytes { isWellFormedUTF8($0) } == expected, "\(hex(text))")
        }
    }

    @Test(
        "[MQTT-4.7.0-1] [MQTT-4.7.3-1] Topic Names",
        arguments: [
            ("a", true), ("a/b", true), ("/", true), ("//", true), ("$SYS/x", true), ("a b", true), ("", false),
            ("#", false), ("a/#", false), ("a+b", false), ("a/+/c", false), ("sensors/plant-7/+/temperature", false),
            ("sensors/plant-7/room/temperature#", false), ("sensors/ü/+", false), ("sensors/ü/room", true),
        ])
    func topicName(text: String, isValid: Bool) {
        #expect(Array(text.utf8).withUnsafeBytes { TopicName.isValid($0) } == isValid)
    }

    @Test("every ASCII byte, wherever it stands in a name of any length") func everyByteOfTopicNames() {
        for count in 1...33 {
            for index in 0..<count {
                var topic = Array(repeating: UInt8(ascii: "t"), count: count)
                for byte in UInt8(0)...127 {
                    topic[index] = byte
                    let isPlain = byte != 0 && byte != UInt8(ascii: "+") && byte != UInt8(ascii: "#")
                    let isValid = topic.withUnsafeBytes { TopicName.isValid($0) }
                    if isValid != isPlain { Issue.record("byte \(byte) at \(index) of \(count)") }
                    if topic.withUnsafeBytes({ isWellFormedUTF8($0) }) != (byte != 0) {
                        Issue.record("byte \(byte) at \(index) of \(count), as text")
                    }
                }
            }
        }
    }

    @Test("[MQTT-4.7.3-3] 65,535 bytes at most") func longest() {
        for (count, isValid) in [(65_535, true), (65_536, false)] {
            let topic = Array(repeating: UInt8(ascii: "t"), count: count)
            #expect(topic.withUnsafeBytes { TopicName.isValid($0) } == isValid)
            #expect(topic.withUnsafeBytes { TopicFilter.isValid($0) } == isValid)
        }
    }

    @Test(arguments: [("a", 1), ("a/b", 2), ("/", 2), ("a//b/", 4)])
    func levels(text: String, count: Int) {
        #expect(Array(text.utf8).withUnsafeBytes { TopicName.levels($0) } == count)
    }

    @Test func hashOfEveryLengthDependsOnEveryByteAndTheSeed() {
        var seen: Set<UInt64> = []
        var made = 0
        for count in 0...40 {
            let base = Array(repeating: UInt8(ascii: "a"), count: count)
            for seed in [UInt64(0), 1, 0x1234_5678_9ABC_DEF0] {
                seen.insert(base.withUnsafeBytes { topicHash($0, seed: seed) })
                made += 1
                for index in 0..<count {
                    var other = base
                    other[index] = UInt8(ascii: "b")
                    seen.insert(other.withUnsafeBytes { topicHash($0, seed: seed) })
                    made += 1
                }
            }
        }
        #expect(seen.count == made)
    }

    @Test func hashSpreadsNumberedTopics() {
        var buckets = Array(repeating: 0, count: 1024)
        for number in 0..<65_536 {
            let hash = Array("plant/line/\(number)/t".utf8).withUnsafeBytes { topicHash($0, seed: 99) }
            buckets[Int(hash & 1023)] += 1
        }
        // 64 each on average, standard deviation 8.
        #expect(buckets.allSatisfy { $0 > 16 && $0 < 128 })
    }

    @Test func aPayloadMayHoldNUL() {
        func isText(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { isUTF8($0) } }
        for text in ["", "\0", "a\0b", "\0\0ä\0", String(repeating: "grün\0", count: 1000)] {
            #expect(isText(Array(text.utf8)))
        }
        for bytes: [UInt8] in [[0xC3], [0xC3, 0, 0xA4], [0, 0xFF], [0x61, 0, 0xED, 0xA0, 0x80, 0], [0xC0, 0x80]] {
            #expect(!isText(bytes))
        }
        // A million of them take no million looks at the rest.
        #expect(isText([UInt8](repeating: 0, count: 1 << 20)))
    }
}
