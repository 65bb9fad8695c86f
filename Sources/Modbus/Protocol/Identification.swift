/// What can be asked of a device's identification at once (Modbus Application Protocol 1.1b3 §6.21, Read Device ID code).
package enum IdentificationCategory: UInt8, Sendable {
    /// Vendor, product code and revision: every device that knows the function has these.
    case basic = 1
    case regular = 2
    case extended = 3
}

/// A device's identification: its objects, as texts by number.
package struct Identification: Equatable, Sendable {
    static let meiType: UInt8 = 14

    package var objects: [UInt8: String] = [:]

    package init() {}

    /// The names of the objects, as keys of JSON.
    package static let names: [(object: UInt8, name: String)] = [
        (0, "vendor"), (1, "product_code"), (2, "revision"), (3, "vendor_url"), (4, "product"), (5, "model"),
        (6, "application"),
    ]

    /// What a person reads: "Siemens SIRIUS 3RW 2.1".
    package var summary: String {
        [0, 4, 5, 1, 2].compactMap { objects[$0] }.filter { !$0.isEmpty }.joined(separator: " ")
    }
}

/// One answer's part of an identification; where more follows, the next request asks from `next` on.
package struct IdentificationPart: Equatable, Sendable {
    package var objects: [UInt8: String] = [:]
    /// The first object of the next part; nil: this was the last.
    package var next: UInt8?

    /// Function, MEI type, category, conformity level, more follows, next object, count.
    private static let head = 7

    init(_ pdu: [UInt8], _ category: IdentificationCategory) throws(ModbusError) {
        guard pdu.count >= Self.head, pdu[1] == Identification.meiType, pdu[2] == category.rawValue else {
            throw .malformed("not an identification of this category")
        }
        guard pdu[4] == 0 || pdu[4] == 0xFF else { throw .malformed("\"more follows\" is \(pdu[4])") }
        var rest = pdu[Self.head...]
        for _ in 0..<pdu[6] {
            guard let object = rest.popFirst(), let length = rest.popFirst(), rest.count >= length else {
                throw .malformed("an identification that ends early")
            }
            objects[object] = Text.decode(rest.prefix(Int(length)))
            rest = rest.dropFirst(Int(length))
        }
        guard rest.isEmpty else { throw .malformed("an identification with \(rest.count) bytes too many") }
        next = pdu[4] == 0xFF ? pdu[5] : nil
    }

    /// The whole PDU's length, from as much of it as there is; nil: not known yet.
    static func length(_ start: some RandomAccessCollection<UInt8>) -> Int? {
        guard start.count >= head else { return nil }
        func byte(_ offset: Int) -> Int { Int(start[start.index(start.startIndex, offsetBy: offset)]) }
        var length = head
        for _ in 0..<byte(6) {
            guard start.count >= length + 2 else { return nil }
            length += 2 + byte(length + 1)
        }
        // 253: the largest PDU there can be (§4.1).
        return length <= 253 ? length : 0
    }
}
