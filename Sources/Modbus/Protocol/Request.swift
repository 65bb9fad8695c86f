/// One question to a device, and how its answer is read (Modbus Application Protocol 1.1b3 §6).
package enum Request: Equatable, Sendable {
    /// Functions 1 to 4; 1...2,000 bits or 1...125 registers.
    case read(DataTable, address: UInt16, count: Int)
    /// Function 5.
    case writeCoil(address: UInt16, Bool)
    /// Function 6.
    case writeRegister(address: UInt16, UInt16)
    /// Function 15; 1...1,968 coils.
    case writeCoils(address: UInt16, [Bool])
    /// Function 16; 1...123 registers.
    case writeRegisters(address: UInt16, [UInt16])
    /// Function 22: the register becomes (itself AND `and`) OR (`or` AND NOT `and`).
    case maskWrite(address: UInt16, and: UInt16, or: UInt16)
    /// Function 23: writes 1...121 registers, then reads 1...125.
    case readWrite(readAddress: UInt16, readCount: Int, writeAddress: UInt16, [UInt16])
    /// Function 43/14: objects of a category from `object` on.
    case identification(IdentificationCategory, object: UInt8)

    package static let largestCoilWrite = 1968
    package static let largestRegisterWrite = 123

    package var function: FunctionCode {
        switch self {
        case .read(let table, _, _): table.readFunction
        case .writeCoil: .writeSingleCoil
        case .writeRegister: .writeSingleRegister
        case .writeCoils: .writeMultipleCoils
        case .writeRegisters: .writeMultipleRegisters
        case .maskWrite: .maskWriteRegister
        case .readWrite: .readWriteMultipleRegisters
        case .identification: .encapsulatedInterfaceTransport
        }
    }

    /// Whether it leaves the device as it was.
    package var onlyReads: Bool {
        switch self {
        case .read, .identification: true
        default: false
        }
    }

    /// Function 22 for one bit.
    package static func maskWrite(bit: Int, of address: UInt16, _ isOn: Bool) -> Request {
        let mask = UInt16(1) << UInt16(bit)
        return .maskWrite(address: address, and: ~mask, or: isOn ? mask : 0)
    }

    // MARK: - Encoding

    /// The protocol data unit: function code and data.
    package var pdu: [UInt8] {
        var bytes = [function.rawValue]
        switch self {
        case .read(_, let address, let count):
            bytes.append(big: address)
            bytes.append(big: UInt16(truncatingIfNeeded: count))
        case .writeCoil(let address, let isOn):
            bytes.append(big: address)
            bytes.append(big: isOn ? 0xFF00 : 0)
        case .writeRegister(let address, let value):
            bytes.append(big: address)
            bytes.append(big: value)
        case .writeCoils(let address, let values):
            bytes.append(big: address)
            bytes.append(big: UInt16(truncatingIfNeeded: values.count))
            let packed = Self.packed(values)
            bytes.append(UInt8(truncatingIfNeeded: packed.count))
            bytes += packed
        case .writeRegisters(let address, let values):
            bytes.append(big: address)
            bytes.append(registers: values)
        case .maskWrite(let address, let and, let or):
            bytes.append(big: address)
            bytes.append(big: and)
            bytes.append(big: or)
        case .readWrite(let readAddress, let readCount, let writeAddress, let values):
            bytes.append(big: readAddress)
            bytes.append(big: UInt16(truncatingIfNeeded: readCount))
            bytes.append(big: writeAddress)
            bytes.append(registers: values)
        case .identification(let category, let object):
            bytes += [Identification.meiType, category.rawValue, object]
        }
        return bytes
    }

    /// Eight coils a byte, the first in the lowest bit.
    private static func packed(_ values: [Bool]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: (values.count + 7) / 8)
        for (index, isOn) in values.enumerated() where isOn { bytes[index / 8] |= 1 << UInt8(index % 8) }
        return bytes
    }

    // MARK: - The answer

    /// Reads a response PDU. What doesn't fit the request to the byte is refused: a count that differs, an echo that isn't.
    package func response(_ pdu: [UInt8]) throws(ModbusError) -> Response {
        guard let first = pdu.first else { throw .malformed("empty") }
        if first == function.rawValue | FunctionCode.exceptionBit {
            guard pdu.count == 2 else { throw .malformed("an exception of \(pdu.count) bytes") }
            throw .exception(ExceptionCode(rawValue: pdu[1]))
        }
        guard first == function.rawValue else { throw .malformed("function \(first) for \(function.rawValue)") }
        switch self {
        case .read, .readWrite:
            let bytes = dataBytes
            guard pdu.count == 2 + bytes, pdu[1] == bytes else {
                throw .malformed("\(pdu.count - 2) bytes of data for \(bytes)")
            }
            return .data(Array(pdu[2...]))
        case .writeCoil, .writeRegister, .maskWrite:
            guard pdu == self.pdu else { throw .malformed("another place or value than was written") }
            return .done
        case .writeCoils, .writeRegisters:
            guard pdu == Array(self.pdu.prefix(5)) else { throw .malformed("another place or count than was written") }
            return .done
        case .identification(let category, _):
            return .identification(try IdentificationPart(pdu, category))
        }
    }

    /// Bytes of data in the answer to a reading request; else 0.
    var dataBytes: Int {
        switch self {
        case .read(let table, _, let count): table.holdsBits ? (count + 7) / 8 : count * 2
        case .readWrite(_, let count, _, _): count * 2
        default: 0
        }
    }

    /// How long the answer's PDU is, which RTU doesn't say by itself: from the beginning of it, which begins with this
    /// request's function code or the exception to it. Nil: not known from these bytes yet. Only a length that this request
    /// can have is given; 0: these bytes are no answer to it.
    func responseLength(_ start: some RandomAccessCollection<UInt8>) -> Int? {
        guard let first = start.first else { return nil }
        guard first & FunctionCode.exceptionBit == 0 else { return 2 }
        switch self {
        case .read, .readWrite:
            guard start.count > 1 else { return nil }
            return start[start.index(after: start.startIndex)] == dataBytes ? 2 + dataBytes : 0
        case .writeCoil, .writeRegister, .writeCoils, .writeRegisters: return 5
        case .maskWrite: return 7
        case .identification: return IdentificationPart.length(start)
        }
    }
}

/// What a device answered.
package enum Response: Equatable, Sendable {
    /// Registers of two bytes, the higher first, or bits, eight a byte from the lowest up.
    case data([UInt8])
    case done
    case identification(IdentificationPart)
}

extension [UInt8] {
    mutating func append(big value: UInt16) {
        append(UInt8(value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    /// Count, byte count and the registers.
    fileprivate mutating func append(registers values: [UInt16]) {
        append(big: UInt16(truncatingIfNeeded: values.count))
        append(UInt8(truncatingIfNeeded: values.count * 2))
        for value in values { append(big: value) }
    }
}
