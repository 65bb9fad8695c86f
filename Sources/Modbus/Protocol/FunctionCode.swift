/// The functions that are spoken here, by their codes (Modbus Application Protocol 1.1b3 §6).
package enum FunctionCode: UInt8, Sendable, CaseIterable {
    case readCoils = 1
    case readDiscreteInputs = 2
    case readHoldingRegisters = 3
    case readInputRegisters = 4
    case writeSingleCoil = 5
    case writeSingleRegister = 6
    case writeMultipleCoils = 15
    case writeMultipleRegisters = 16
    case maskWriteRegister = 22
    case readWriteMultipleRegisters = 23
    /// With MEI type 14: Read Device Identification.
    case encapsulatedInterfaceTransport = 43

    /// What an exception response has set in its function code.
    static let exceptionBit: UInt8 = 0x80

    package var name: String {
        switch self {
        case .readCoils: "Read Coils"
        case .readDiscreteInputs: "Read Discrete Inputs"
        case .readHoldingRegisters: "Read Holding Registers"
        case .readInputRegisters: "Read Input Registers"
        case .writeSingleCoil: "Write Single Coil"
        case .writeSingleRegister: "Write Single Register"
        case .writeMultipleCoils: "Write Multiple Coils"
        case .writeMultipleRegisters: "Write Multiple Registers"
        case .maskWriteRegister: "Mask Write Register"
        case .readWriteMultipleRegisters: "Read/Write Multiple Registers"
        case .encapsulatedInterfaceTransport: "Read Device Identification"
        }
    }
}

/// The four tables of a device's data (Modbus Application Protocol 1.1b3 §4.3).
package enum DataTable: String, Sendable, CaseIterable {
    case coil
    case discrete
    case input
    case holding

    /// Single bits, not registers of 16.
    package var holdsBits: Bool { self == .coil || self == .discrete }

    package var isWritable: Bool { self == .coil || self == .holding }

    /// The most that one request may read (§6.1-6.4).
    package var largestRead: Int { holdsBits ? 2000 : 125 }

    var readFunction: FunctionCode {
        switch self {
        case .coil: .readCoils
        case .discrete: .readDiscreteInputs
        case .input: .readInputRegisters
        case .holding: .readHoldingRegisters
        }
    }

    /// What stands in this table at an address: "holding register 12".
    package func place(_ address: Int) -> String {
        switch self {
        case .coil: "coil \(address)"
        case .discrete: "discrete input \(address)"
        case .input: "input register \(address)"
        case .holding: "holding register \(address)"
        }
    }
}
