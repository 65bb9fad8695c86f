import Testing

@testable import Configuration

/// Random damage to a real configuration: an error or settings, never a crash, and what is read prints and reads back.
@Suite struct ConfigurationFuzzTests {
    private static let pieces: [[UInt8]] = [
        "\"", "'''", "\"\"\"", "[", "[[", "]]", "{", "}", "=", ".", ",", "\n", "\r", "#", "\\", "\\u", "{node}",
        "{label:",
        "-1", "0x", "1e999", "99999999999999999999", "\"9999999999h\"", "inf", "nan", "2024-01-01", "true", "\u{0}",
        "é", "\"#/+\"",
    ].map { Array($0.utf8) }

    @Test(arguments: 0..<UInt64(20))
    func damagedFile(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        let name = ["roost.toml", "edge.toml", "cloud.toml"][Int(seed % 3)]
        let original =
            seed.isMultiple(of: 4) ? Array(PrintingTests.everything.utf8) : Array(try ExampleFilesTests.text(name).utf8)

        for _ in 0..<25 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...4, using: &random) { Self.damage(&bytes, &random) }
            do throws(ConfigurationError) {
                let settings = try Settings.parse(bytes, file: "f")
                let again = try Settings.parse(Array(settings.printed(maskingSecrets: false).utf8), file: "printed")
                // NaN in a module's own keys is equal to nothing.
                #expect(again == settings || again.printed() == settings.printed())
            } catch {
                #expect(!error.problems.isEmpty && !error.problems.contains { $0.source == "printed" })
            }
        }
    }

    private static func damage(_ bytes: inout [UInt8], _ random: inout SplitMix64) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        let end = min(bytes.count, place + Int.random(in: 1...12, using: &random))
        switch Int.random(in: 0..<5, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.removeSubrange(place..<end)
        case 2: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
        case 3: bytes.replaceSubrange(place..<end, with: pieces[Int.random(in: 0..<pieces.count, using: &random)])
        default: bytes.insert(contentsOf: pieces[Int.random(in: 0..<pieces.count, using: &random)], at: place)
        }
    }
}
