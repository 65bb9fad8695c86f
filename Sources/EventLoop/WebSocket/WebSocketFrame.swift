/// RFC 6455 §5.2 and §11.8.
enum WebSocketOpcode: UInt8 {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    var isControl: Bool { rawValue >= 8 }
}

/// What a Close frame says (RFC 6455 §7.4.1).
enum WebSocketStatus: UInt16 {
    case normal = 1000
    case goingAway = 1001
    case protocolError = 1002
    case unsupportedData = 1003
    case invalidPayload = 1007
    case messageTooBig = 1009

    /// Whether a Close frame may carry this code: the registered ones, and those for libraries and private use. 1005, 1006
    /// and 1015 stand for what no frame says.
    static func isAllowed(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

/// Why a WebSocket connection is closed from our side.
struct WebSocketViolation: Error, Equatable {
    var status: WebSocketStatus
    /// For a person, and for the peer's Close frame: at most 123 bytes.
    var reason: String

    init(_ status: WebSocketStatus, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}

/// The head of a frame (RFC 6455 §5.2).
struct WebSocketFrameHead: Equatable {
    /// The longest: two bytes, a length of eight and a mask of four.
    static let maximumLength = 14
    /// A control frame's payload (§5.5).
    static let maximumControlPayload = 125

    var opcode: WebSocketOpcode
    var isFinal: Bool
    var payloadLength: Int
    /// As its four bytes lie in memory.
    var mask: UInt32?
    /// Bytes of the head itself.
    var length: Int

    /// Nil while it isn't whole. What the first two bytes get wrong is said before the others come. A length that would have
    /// fitted a shorter form is taken: there is no second meaning to it, and small clients do it.
    init?(_ bytes: UnsafeRawBufferPointer) throws(WebSocketViolation) {
        guard bytes.count >= 2 else { return nil }
        guard bytes[0] & 0x70 == 0 else {
            throw WebSocketViolation(.protocolError, "a reserved bit is set, and no extension was agreed on")
        }
        guard let opcode = WebSocketOpcode(rawValue: bytes[0] & 0x0F) else {
            throw WebSocketViolation(.protocolError, "the opcode \(bytes[0] & 0x0F) is reserved")
        }
        isFinal = bytes[0] & 0x80 != 0
        let isMasked = bytes[1] & 0x80 != 0
        let short = Int(bytes[1] & 0x7F)
        if opcode.isControl {
            guard isFinal else { throw WebSocketViolation(.protocolError, "a control frame in fragments") }
            guard short <= Self.maximumControlPayload else {
                throw WebSocketViolation(.protocolError, "a control frame of more than 125 bytes")
            }
        }
        let lengthBytes = short == 127 ? 8 : short == 126 ? 2 : 0
        length = 2 + lengthBytes + (isMasked ? 4 : 0)
        guard bytes.count >= length else { return nil }
        self.opcode = opcode
        switch lengthBytes {
        case 0: payloadLength = short
        case 2: payloadLength = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
        default:
            let long = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
            guard let fitting = Int(exactly: long) else {
                throw WebSocketViolation(.protocolError, "a length of 64 bits with the first one set")
            }
            payloadLength = fitting
        }
        mask = isMasked ? bytes.loadUnaligned(fromByteOffset: 2 + lengthBytes, as: UInt32.self) : nil
    }

    /// A whole message's frame, or a control frame.
    init(_ opcode: WebSocketOpcode, payloadLength: Int, mask: UInt32?) {
        self.opcode = opcode
        isFinal = true
        self.payloadLength = payloadLength
        self.mask = mask
        length = 2 + (payloadLength > 65_535 ? 8 : payloadLength > 125 ? 2 : 0) + (mask == nil ? 0 : 4)
    }

    /// Writes `length` bytes.
    func encode(into place: UnsafeMutableRawPointer) {
        place.storeBytes(of: opcode.rawValue | (isFinal ? 0x80 : 0), as: UInt8.self)
        let masked: UInt8 = mask == nil ? 0 : 0x80
        var end = 2
        switch payloadLength {
        case ...125:
            place.storeBytes(of: UInt8(payloadLength) | masked, toByteOffset: 1, as: UInt8.self)
        case ...65_535:
            place.storeBytes(of: 126 | masked, toByteOffset: 1, as: UInt8.self)
            place.storeBytes(of: UInt16(payloadLength).bigEndian, toByteOffset: 2, as: UInt16.self)
            end = 4
        default:
            place.storeBytes(of: 127 | masked, toByteOffset: 1, as: UInt8.self)
            place.storeBytes(of: UInt64(payloadLength).bigEndian, toByteOffset: 2, as: UInt64.self)
            end = 10
        }
        if let mask { place.storeBytes(of: mask, toByteOffset: end, as: UInt32.self) }
    }
}

/// RFC 6455 §5.3: the same for putting a mask on and taking it off.
enum WebSocketMask {
    /// Copies `count` bytes with the mask applied. The target may be the source, or begin before it.
    ///
    /// - Parameter offset: of the first byte in its frame's payload.
    static func apply(
        _ mask: UInt32, offset: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, count: Int
    ) {
        // The mask's byte for the first of ours comes first.
        let turn = UInt32(truncatingIfNeeded: offset & 3) * 8
        let bytes = UInt32(littleEndian: mask)
        let turned = turn == 0 ? bytes : bytes >> turn | bytes << (32 - turn)
        let word = (UInt64(turned) << 32 | UInt64(turned)).littleEndian
        var index = 0
        // Each word is read before anything is written over it: the target is never behind the source.
        while index + 8 <= count {
            let value = source.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            target.storeBytes(of: value ^ word, toByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < count {
            let key = UInt8(truncatingIfNeeded: turned >> (UInt32(truncatingIfNeeded: index & 3) * 8))
            let value = source.load(fromByteOffset: index, as: UInt8.self)
            target.storeBytes(of: value ^ key, toByteOffset: index, as: UInt8.self)
            index += 1
        }
    }

    static func apply(_ mask: UInt32, to bytes: UnsafeMutableRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        apply(mask, offset: 0, from: base, to: base, count: bytes.count)
    }
}
