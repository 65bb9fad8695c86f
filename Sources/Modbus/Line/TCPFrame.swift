/// Frames on TCP: the MBAP header before each PDU (Modbus Messaging on TCP/IP 1.0b §3.1.3).
enum TCPFrame {
    /// Transaction, protocol, length, unit.
    static let headerLength = 7
    /// What may follow the length field: the unit and a PDU of 1 to 253 bytes.
    private static let lengths = 2...254

    static func encode(transaction: UInt16, unit: UInt8, pdu: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerLength + pdu.count)
        bytes.append(big: transaction)
        bytes.append(big: 0)
        bytes.append(big: UInt16(pdu.count + 1))
        bytes.append(unit)
        return bytes + pdu
    }

    struct Head: Equatable {
        var transaction: UInt16
        var unit: UInt8
        /// Of the whole frame.
        var length: Int
    }

    /// Not Modbus: whatever follows can't be told apart any more.
    struct Foreign: Error {}

    /// The head of the first frame in `bytes`; nil: it isn't whole yet.
    static func head(_ bytes: some RandomAccessCollection<UInt8>) throws(Foreign) -> Head? {
        guard bytes.count >= headerLength else { return nil }
        func word(_ offset: Int) -> Int {
            Int(bytes[bytes.index(bytes.startIndex, offsetBy: offset)]) << 8
                | Int(bytes[bytes.index(bytes.startIndex, offsetBy: offset + 1)])
        }
        guard word(2) == 0, lengths.contains(word(4)) else { throw Foreign() }
        return Head(
            transaction: UInt16(word(0)), unit: bytes[bytes.index(bytes.startIndex, offsetBy: 6)], length: 6 + word(4))
    }
}
