import Testing

@testable import EventLoop

/// A connection with WebSocket at the far end, the server's, and at the near end too, or bare bytes there.
struct WebSocketPair {
    let connection: Connection
    let far: WebSocketStream
    /// Nil: the near end writes its own bytes.
    let near: WebSocketStream?
    var loop: EventLoop { connection.loop }
    var farSide: Recorder { connection.farSide }
    var nearSide: Recorder { connection.nearSide }

    init(frameLimit: Int = 1 << 24, isBare: Bool = false) throws {
        connection = try Connection()
        far = WebSocketStream(serverOver: connection.far, frameLimit: frameLimit)
        far.delegate = connection.farSide
        guard !isBare, let request = WebSocketRequest(host: "localhost", port: 80, path: "/mqtt", usesTLS: false) else {
            near = nil
            return
        }
        near = WebSocketStream(client: request, over: connection.near)
        near?.delegate = connection.nearSide
    }

    /// A bare one, with the handshake behind it.
    static func opened(frameLimit: Int = 1 << 24) throws -> WebSocketPair {
        let pair = try WebSocketPair(frameLimit: frameLimit, isBare: true)
        pair.connection.near.write(Array(webSocketRequest().utf8))
        #expect(pair.loop.turn { pair.nearSide.received.suffix(4) == Array("\r\n\r\n".utf8) })
        pair.nearSide.received = []
        return pair
    }

    func finish() {
        near?.close()
        far.close()
        connection.finish()
    }
}

/// A client's frame.
func frame(
    _ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, mask: [UInt8]? = [1, 2, 3, 4], reserved: UInt8 = 0
) -> [UInt8] {
    var bytes = [opcode | (isFinal ? 0x80 : 0) | reserved]
    let masked: UInt8 = mask == nil ? 0 : 0x80
    switch payload.count {
    case ...125: bytes.append(UInt8(payload.count) | masked)
    case ...65_535: bytes += [126 | masked, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default: bytes += [127 | masked] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
    }
    guard let mask else { return bytes + payload }
    return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
}

/// A Close frame's payload.
func closeFrame(_ code: UInt16, _ reason: String = "") -> [UInt8] {
    [UInt8(code >> 8), UInt8(code & 0xFF)] + reason.utf8
}
