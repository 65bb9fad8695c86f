import Testing

@testable import EventLoop

@Suite struct SHA1Tests {
    /// FIPS 180-4's examples, and lengths around a block's end.
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"), ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
        (String(repeating: "a", count: 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
        (String(repeating: "a", count: 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
    ])
    func digestsAreThoseOfTheStandard(text: String, hex: String) {
        let digest = SHA1.digest(Array(text.utf8))
        #expect(digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == hex)
    }
}

@Suite struct WebSocketFrameTests {
    /// RFC 6455 §5.7, and the edges of the three forms of a length.
    @Test(arguments: [
        ([0x82, 0x05], WebSocketFrameHead(.binary, payloadLength: 5, mask: nil)),
        ([0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D], WebSocketFrameHead(.pong, payloadLength: 5, mask: 0x3D21_FA37)),
        ([0x82, 0x7D], WebSocketFrameHead(.binary, payloadLength: 125, mask: nil)),
        ([0x82, 0x7E, 0x00, 0x7E], WebSocketFrameHead(.binary, payloadLength: 126, mask: nil)),
        ([0x82, 0x7E, 0xFF, 0xFF], WebSocketFrameHead(.binary, payloadLength: 65_535, mask: nil)),
        ([0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0], WebSocketFrameHead(.binary, payloadLength: 65_536, mask: nil)),
        (
            [0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4],
            WebSocketFrameHead(.binary, payloadLength: .max, mask: 0x0403_0201)
        ),
    ])
    func headsAreReadAndWritten(bytes: [UInt8], head: WebSocketFrameHead) throws {
        for count in 0..<bytes.count {
            #expect(try bytes[..<count].withUnsafeBytes { try WebSocketFrameHead($0) } == nil)
        }
        #expect(try (bytes + [9, 9]).withUnsafeBytes { try WebSocketFrameHead($0) } == head)
        var written = [UInt8](repeating: 0, count: head.length)
        written.withUnsafeMutableBytes { if let base = $0.baseAddress { head.encode(into: base) } }
        #expect(written == bytes)
    }

    /// A length in a longer form than it needs: read, never written.
    @Test(arguments: [[0x82, 0x7E, 0, 5], [0x82, 0x7F, 0, 0, 0, 0, 0, 0, 0, 5]] as [[UInt8]])
    func longFormsOfShortLengthsAreRead(bytes: [UInt8]) throws {
        #expect(try bytes.withUnsafeBytes { try WebSocketFrameHead($0)?.payloadLength } == 5)
    }

    @Test func aMaskIsPutOnAndTakenOffAtAnyPlace() {
        var random = SplitMix64(state: 3)
        let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        let mask = key.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
        for count in Array(0...40) + [1000] {
            for (offset, gap) in [(0, 0), (1, 2), (2, 3), (3, 14), (7, 1), (4, 8)] {
                let plain = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
                var place = [UInt8](repeating: 0, count: gap) + plain

                place.withUnsafeMutableBytes { bytes in
                    guard let base = bytes.baseAddress else { return }
                    WebSocketMask.apply(mask, offset: offset, from: base + gap, to: base, count: count)
                }

                #expect(Array(place.prefix(count)) == plain.enumerated().map { $1 ^ key[($0 + offset) % 4] })
            }
        }
    }

    @Test(
        arguments: [
            (999, false), (1000, true), (1003, true), (1004, false), (1005, false), (1006, false), (1007, true),
            (1014, true), (1015, false), (2999, false), (3000, true), (4999, true), (5000, false), (0, false),
        ] as [(UInt16, Bool)])
    func statusCodesAreThoseThatMayBeSent(code: UInt16, isAllowed: Bool) {
        #expect(WebSocketStatus.isAllowed(code) == isAllowed)
    }
}
