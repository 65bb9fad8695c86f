/// A value that is one JSON token.
public protocol JSONScalar {
    func write(into bytes: inout [UInt8])
}

extension String: JSONScalar {
    public func write(into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in utf8 { Self.escape(byte, into: &bytes) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// RFC 8259 §7: quotation mark, reverse solidus and the control characters must be escaped, nothing else need be.
    private static func escape(_ byte: UInt8, into bytes: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
        case 0x08: bytes.append(contentsOf: "\\b".utf8)
        case 0x09: bytes.append(contentsOf: "\\t".utf8)
        case 0x0A: bytes.append(contentsOf: "\\n".utf8)
        case 0x0C: bytes.append(contentsOf: "\\f".utf8)
        case 0x0D: bytes.append(contentsOf: "\\r".utf8)
        case 0..<0x20:
            let digits = Array("0123456789abcdef".utf8)
            bytes.append(contentsOf: "\\u00".utf8)
            bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        default: bytes.append(byte)
        }
    }
}

extension JSONScalar where Self: BinaryInteger {
    public func write(into bytes: inout [UInt8]) { bytes.append(contentsOf: String(self).utf8) }
}

extension Int: JSONScalar {}
extension Int64: JSONScalar {}
extension UInt8: JSONScalar {}
extension UInt64: JSONScalar {}

extension Bool: JSONScalar {
    public func write(into bytes: inout [UInt8]) { bytes.append(contentsOf: (self ? "true" : "false").utf8) }
}

extension Double: JSONScalar {
    /// The shortest decimal that reads back the same; whole numbers without a fraction.
    public func write(into bytes: inout [UInt8]) {
        guard isFinite else {
            bytes.append(contentsOf: "null".utf8)
            return
        }
        // Beyond 2^53 "whole" says nothing, and 1e300 would be 300 digits.
        if self == rounded(), magnitude < 9_007_199_254_740_992 {
            Int64(self).write(into: &bytes)
        } else {
            bytes.append(contentsOf: description.utf8)
        }
    }
}
