/// Frames on a serial line: unit, PDU, CRC-16 (Modbus over Serial Line 1.02 §2.5.1). Nothing in a frame says how long it is
/// but its function, and between two there is only silence, which adapters and networks don't keep: so frames are found by
/// what they say and by their check, wherever among other bytes they begin.
enum RTUFrame {
    static let largest = 256

    static func encode(unit: UInt8, pdu: [UInt8]) -> [UInt8] {
        var bytes = [unit] + pdu
        let crc = CRC16.of(bytes)
        bytes.append(UInt8(truncatingIfNeeded: crc))
        bytes.append(UInt8(crc >> 8))
        return bytes
    }

    enum Finding: Equatable {
        /// A response whose check holds, of that many bytes.
        case frame(Int)
        /// It may become one.
        case incomplete
        case none
    }

    /// What stands at the beginning of `bytes`.
    static func find(_ bytes: ArraySlice<UInt8>) -> Finding {
        guard bytes.count >= 2 else { return .incomplete }
        guard let pdu = responseLength(bytes.dropFirst()) else { return .incomplete }
        let length = pdu + 3
        guard pdu > 0, length <= largest else { return .none }
        guard bytes.count >= length else { return .incomplete }
        let frame = bytes.prefix(length)
        let crc = CRC16.of(frame.dropLast(2))
        let isGood = frame[frame.endIndex - 2] == UInt8(crc & 0xFF) && frame[frame.endIndex - 1] == UInt8(crc >> 8)
        return isGood ? .frame(length) : .none
    }

    /// The length of a response PDU from its beginning; nil: not known yet; 0: no response begins like this.
    private static func responseLength(_ pdu: ArraySlice<UInt8>) -> Int? {
        guard let first = pdu.first else { return nil }
        if first & FunctionCode.exceptionBit != 0 {
            return FunctionCode(rawValue: first & ~FunctionCode.exceptionBit) == nil ? 0 : 2
        }
        switch FunctionCode(rawValue: first) {
        case .readCoils, .readDiscreteInputs, .readHoldingRegisters, .readInputRegisters,
            .readWriteMultipleRegisters:
            guard pdu.count > 1 else { return nil }
            let count = Int(pdu[pdu.startIndex + 1])
            return count > 0 ? 2 + count : 0
        case .writeSingleCoil, .writeSingleRegister, .writeMultipleCoils, .writeMultipleRegisters: return 5
        case .maskWriteRegister: return 7
        case .encapsulatedInterfaceTransport: return IdentificationPart.length(pdu)
        case nil: return 0
        }
    }
}
