import Testing

@testable import EventLoop

@Suite struct WebSocketFuzzTests {
    /// Random messages, cut into frames and reads as chance has it, arrive as they were sent, with pings in between.
    @Test(arguments: 0..<60)
    func framesOfAnyShapeCarryTheBytes(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        let pair = try WebSocketPair.opened()
        defer { pair.finish() }
        var wire: [UInt8] = []
        var sent: [UInt8] = []
        func mask() -> [UInt8] { (0..<4).map { _ in UInt8.random(in: 0...255, using: &random) } }
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let pieces = Int.random(in: 1...4, using: &random)
            for piece in 0..<pieces {
                let most = [0, 3, 125, 126, 300, 70_000].randomElement(using: &random) ?? 0
                let payload = (0..<Int.random(in: 0...most, using: &random)).map { UInt8(truncatingIfNeeded: $0) }
                wire += frame(piece == 0 ? 2 : 0, payload, isFinal: piece == pieces - 1, mask: mask())
                sent += payload
                if Bool.random(using: &random) {
                    wire += frame(Bool.random(using: &random) ? 9 : 10, [UInt8](payload.prefix(9)), mask: mask())
                }
            }
        }
        var rest = wire[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...([5, 2000, 200_000].randomElement(using: &random) ?? 1), using: &random)
            pair.connection.near.write(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
            pair.loop.tick(wait: .zero)
        }

        #expect(pair.loop.turn { pair.farSide.receivedCount == sent.count })
        #expect(pair.farSide.received == sent)
        #expect(pair.farSide.closes == 0)
    }

    /// Bytes changed at random, in the handshake or behind it: the connection lives or is closed, and nothing traps.
    @Test func noiseClosesAtMost() throws {
        var random = SplitMix64(state: 5)
        let good =
            Array(webSocketRequest().utf8) + frame(2, [1, 2, 3]) + frame(9, [4]) + frame(2, [5], isFinal: false)
            + frame(0, [6]) + frame(8, closeFrame(1000))
        for _ in 0..<300 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                }
            }
            let pair = try WebSocketPair(frameLimit: 1000, isBare: true)
            let cut = Int.random(in: 0...bytes.count, using: &random)
            pair.connection.near.write(Array(bytes[..<cut]))
            pair.loop.tick(wait: .zero)
            pair.connection.near.write(Array(bytes[cut...]))
            pair.connection.near.closeAfterFlush()
            #expect(pair.loop.turn { pair.farSide.closes == 1 })
            pair.finish()
        }
    }
}
