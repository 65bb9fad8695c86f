/// A device that is not there: four tables, and the answers that the specification has for them. For trying things out, for tests
/// and for measuring; nothing of the bridge uses it.
package final class SimulatedDevice {
    package var coils: [Bool]
    package var discretes: [Bool]
    package var inputs: [UInt16]
    package var holdings: [UInt16]
    /// Places that it says not to have, though its tables are long enough.
    package var holes: [DataTable: Set<Int>] = [:]
    /// Functions that it says not to know.
    package var unknown: Set<FunctionCode> = []
    /// The most registers in one read.
    package var largestRead = 125
    package var identification: [UInt8: String] = [:]
    /// Requests by function, as they came.
    package private(set) var requests: [UInt8] = []
    /// Off: not remembered, for long runs.
    package var remembersRequests = true

    /// - Parameter places: of each table.
    package init(places: Int = 100) {
        coils = [Bool](repeating: false, count: places)
        discretes = coils
        inputs = [UInt16](repeating: 0, count: places)
        holdings = inputs
    }

    /// The response PDU.
    package func answer(_ pdu: [UInt8]) -> [UInt8] {
        guard let first = pdu.first else { return [] }
        if remembersRequests { requests.append(first) }
        guard let function = FunctionCode(rawValue: first), !unknown.contains(function) else {
            return [first | FunctionCode.exceptionBit, ExceptionCode.illegalFunction.rawValue]
        }
        do throws(Refusal) {
            return try answer(function, Words(pdu))
        } catch {
            return [first | FunctionCode.exceptionBit, error.code.rawValue]
        }
    }

    private struct Refusal: Error {
        var code: ExceptionCode
    }

    /// The request's words behind the function code.
    private struct Words {
        let pdu: [UInt8]

        init(_ pdu: [UInt8]) { self.pdu = pdu }

        func callAsFunction(_ index: Int) throws(Refusal) -> Int {
            guard pdu.count > 2 + 2 * index else { throw Refusal(code: .illegalDataValue) }
            return Int(pdu[1 + 2 * index]) << 8 | Int(pdu[2 + 2 * index])
        }
    }

    private func answer(_ function: FunctionCode, _ word: Words) throws(Refusal) -> [UInt8] {
        let pdu = word.pdu
        switch function {
        case .readCoils: return try bits(pdu[0], coils, .coil, word)
        case .readDiscreteInputs: return try bits(pdu[0], discretes, .discrete, word)
        case .readHoldingRegisters: return try registers(pdu[0], holdings, .holding, word(0), word(1))
        case .readInputRegisters: return try registers(pdu[0], inputs, .input, word(0), word(1))
        case .writeSingleCoil:
            try check(.coil, coils.count, word(0), 1, 1)
            let wanted = try word(1)
            guard wanted == 0 || wanted == 0xFF00 else { throw Refusal(code: .illegalDataValue) }
            coils[try word(0)] = wanted != 0
            return pdu
        case .writeSingleRegister:
            try check(.holding, holdings.count, word(0), 1, 1)
            holdings[try word(0)] = UInt16(try word(1))
            return pdu
        case .writeMultipleCoils:
            let (start, count) = (try word(0), try word(1))
            try check(.coil, coils.count, start, count, Request.largestCoilWrite)
            guard pdu.count == 6 + (count + 7) / 8 else { throw Refusal(code: .illegalDataValue) }
            for place in 0..<count { coils[start + place] = pdu[6 + place / 8] >> UInt8(place % 8) & 1 == 1 }
            return Array(pdu[..<5])
        case .writeMultipleRegisters:
            try write(word(0), word(1), pdu, from: 6)
            return Array(pdu[..<5])
        case .maskWriteRegister:
            try check(.holding, holdings.count, word(0), 1, 1)
            let (and, or) = (UInt16(try word(1)), UInt16(try word(2)))
            holdings[try word(0)] = holdings[try word(0)] & and | or & ~and
            return pdu
        case .readWriteMultipleRegisters:
            try write(word(2), word(3), pdu, from: 10)
            return try registers(pdu[0], holdings, .holding, word(0), word(1))
        case .encapsulatedInterfaceTransport: return try identify(pdu)
        }
    }

    private func check(_ table: DataTable, _ size: Int, _ start: Int, _ count: Int, _ most: Int) throws(Refusal) {
        guard count >= 1, count <= most else { throw Refusal(code: .illegalDataValue) }
        guard start + count <= size else { throw Refusal(code: .illegalDataAddress) }
        if let holes = holes[table], (start..<start + count).contains(where: holes.contains) {
            throw Refusal(code: .illegalDataAddress)
        }
    }

    private func bits(_ function: UInt8, _ values: [Bool], _ table: DataTable, _ word: Words) throws(Refusal) -> [UInt8]
    {
        let (start, count) = (try word(0), try word(1))
        try check(table, values.count, start, count, 2000)
        var bytes = [UInt8](repeating: 0, count: (count + 7) / 8)
        for place in 0..<count where values[start + place] { bytes[place / 8] |= 1 << UInt8(place % 8) }
        return [function, UInt8(bytes.count)] + bytes
    }

    private func registers(
        _ function: UInt8, _ values: [UInt16], _ table: DataTable, _ start: Int, _ count: Int
    ) throws(Refusal) -> [UInt8] {
        try check(table, values.count, start, count, largestRead)
        var bytes: [UInt8] = [function, UInt8(count * 2)]
        bytes.reserveCapacity(2 + 2 * count)
        for place in start..<start + count { bytes.append(big: values[place]) }
        return bytes
    }

    private func write(_ start: Int, _ count: Int, _ pdu: [UInt8], from offset: Int) throws(Refusal) {
        try check(.holding, holdings.count, start, count, Request.largestRegisterWrite)
        guard pdu.count == offset + 2 * count else { throw Refusal(code: .illegalDataValue) }
        for place in 0..<count {
            holdings[start + place] = UInt16(pdu[offset + 2 * place]) << 8 | UInt16(pdu[offset + 2 * place + 1])
        }
    }

    private func identify(_ pdu: [UInt8]) throws(Refusal) -> [UInt8] {
        guard pdu.count == 4, pdu[1] == Identification.meiType else { throw Refusal(code: .illegalFunction) }
        guard !identification.isEmpty, (1...3).contains(pdu[2]) else { throw Refusal(code: .illegalDataValue) }
        let objects = identification.filter { $0.key >= pdu[3] }.sorted { $0.key < $1.key }
        // Two at a time: who asks has to ask on.
        let part = objects.prefix(2)
        let isMore = objects.count > part.count
        var bytes: [UInt8] = [pdu[0], pdu[1], pdu[2], 0x82, isMore ? 0xFF : 0]
        bytes.append(isMore ? objects[part.count].key : 0)
        bytes.append(UInt8(part.count))
        for (object, text) in part { bytes += [object, UInt8(text.utf8.count)] + Array(text.utf8) }
        return bytes
    }

    // MARK: - Putting values in

    /// Writes a value into registers, as a point of that format would read it.
    package func set(_ table: DataTable, _ address: Int, _ value: WantedValue, _ format: ValueFormat)
        throws(ValueProblem)
    {
        for (index, register) in try format.registers(value).enumerated() {
            if table == .input { inputs[address + index] = register } else { holdings[address + index] = register }
        }
    }
}
