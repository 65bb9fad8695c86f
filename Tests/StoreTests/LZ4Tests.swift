import Testing

@testable import Store

/// Frames round trip, are what the format says, and hostile ones are refused.
@Suite struct LZ4Tests {
    static let contents: [[UInt8]] = [
        [], [7], Array("hello".utf8), [UInt8](repeating: 3, count: 300_000),
        Sample.packet(1, payload: 200_000, random: true),
        Array((0..<20).flatMap { Sample.packet($0) }),
    ]

    @Test(arguments: contents, [LZ4.Level.fast, .high(3), .high(9)])
    func framesRoundTrip(content: [UInt8], level: LZ4.Level) throws {
        let frame = LZ4.compress(frame: content, level: level)

        #expect(try LZ4.decompress(frame, maximum: content.count) == content)
        #expect(frame.count <= content.count + 64)
        // Magic; version 01, blocks linked, content size (left out when 0) and content checksum.
        #expect(frame.prefix(4) == [0x04, 0x22, 0x4D, 0x18])
        #expect(frame[4] == (content.isEmpty ? 0b0100_0100 : 0b0100_1100))
    }

    @Test func compressorsAndDecompressorsAreUsedAgain() throws {
        let compressor = LZ4Compressor()
        let decompressor = LZ4Decompressor()
        for content in Self.contents + Self.contents.reversed() {
            let frame = compressor.compress(content.span.bytes)
            let cut = Array(frame.dropLast())
            #expect(throws: LZ4.Failure.self) {
                _ = try decompressor.decompress(cut.span.bytes, maximum: 1 << 20)
            }
            let read = try decompressor.decompress(frame.span.bytes, maximum: 1 << 20)
            #expect(read == content)
        }
    }

    @Test(arguments: [0, 1, 999_999])
    func aBombIsRefused(maximum: Int) {
        let frame = LZ4.compress(frame: [UInt8](repeating: 0, count: 1_000_000))

        #expect(throws: LZ4.Failure.tooLarge(maximum: maximum)) { try LZ4.decompress(frame, maximum: maximum) }
    }

    @Test func aBombWithoutContentSizeIsRefused() throws {
        // As `lz4` makes them from a pipe: descriptor without size, its checksum byte by the format's rule (from lz4 itself).
        let frame: [UInt8] = [0x04, 0x22, 0x4D, 0x18, 0x64, 0x40, 0xA7]
        let zeros = LZ4.compress(frame: [UInt8](repeating: 0, count: 1_000_000)).dropFirst(15)

        #expect(throws: LZ4.Failure.tooLarge(maximum: 1000)) { try LZ4.decompress(frame + zeros, maximum: 1000) }
    }

    @Test func everyTruncationIsRefused() {
        let frame = LZ4.compress(frame: Sample.packet(1))

        for length in 0..<frame.count {
            #expect(throws: LZ4.Failure.self) { try LZ4.decompress(frame[..<length], maximum: 1000) }
        }
    }

    @Test func everyFlippedByteIsRefused() {
        let frame = LZ4.compress(frame: Sample.packet(1, random: true) + Sample.packet(1, random: true))

        for index in frame.indices {
            var broken = frame
            broken[index] ^= 0x55
            #expect(throws: LZ4.Failure.self) { try LZ4.decompress(broken, maximum: 1000) }
        }
    }

    @Test func whatFollowsIsRefused() {
        let frame = LZ4.compress(frame: [1, 2, 3])

        #expect(throws: LZ4.Failure.trailingBytes(frame.count)) { try LZ4.decompress(frame + frame, maximum: 1000) }
    }

    @Test func skippableFramesSplit() throws {
        let batch = LZ4.skippable([9, 8, 7]) + LZ4.compress(frame: [1])

        let (content, rest) = try LZ4.splitSkippable(batch[...])

        #expect(batch.prefix(8) == [0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0])
        #expect(content == [9, 8, 7])
        #expect(try LZ4.decompress(rest, maximum: 1) == [1])
        #expect(throws: LZ4.Failure.truncated) { try LZ4.splitSkippable(batch[..<10]) }
        #expect(throws: LZ4.Failure.self) { try LZ4.splitSkippable(rest) }
    }
}
