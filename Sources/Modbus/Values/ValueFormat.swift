import Bridge

/// How the registers of a point are its value, and back: type, order, scale, offset, names of numbers.
package struct ValueFormat: Equatable, Sendable {
    package var type: ValueType
    package var order = ByteOrder.abcd
    package var scale = DecimalNumber.one
    package var offset = DecimalNumber.zero
    /// Texts in the place of raw whole numbers.
    package var names: [Int128: String] = [:]
    /// What may be written; nil: whatever the type holds.
    package var least: DecimalNumber?
    package var most: DecimalNumber?

    package init(_ type: ValueType) { self.type = type }

    // MARK: - Reading

    /// - Parameter bytes: of a response: `type.registers` registers, two bytes each.
    package func value(_ bytes: ArraySlice<UInt8>) throws(ValueProblem) -> Value {
        switch type {
        case .bool: return .boolean((bytes.first ?? 0) & 1 == 1)
        case .bit(let bit): return .boolean(order.number(bytes) >> UInt64(bit) & 1 == 1)
        case .string(let count): return .text(Text.decode(order.arranged(bytes).prefix(count)))
        case .int16: return whole(Int128(Int16(truncatingIfNeeded: order.number(bytes))))
        case .int32: return whole(Int128(Int32(truncatingIfNeeded: order.number(bytes))))
        case .int64: return whole(Int128(Int64(bitPattern: order.number(bytes))))
        case .uint16, .uint32, .uint64: return whole(Int128(order.number(bytes)))
        case .bcd16, .bcd32: return whole(try decimalDigits(order.number(bytes)))
        case .float32: return try float(Float(bitPattern: UInt32(truncatingIfNeeded: order.number(bytes))))
        case .float64: return try float(Double(bitPattern: order.number(bytes)))
        }
    }

    private var isPlain: Bool { scale == .one && offset == .zero }

    private func whole(_ raw: Int128) -> Value {
        if let name = names[raw] { return .text(name) }
        guard !isPlain else { return DecimalNumber(raw).value }
        guard let result = DecimalNumber(raw).multiplied(by: scale)?.added(to: offset) else {
            return .number(Double(raw) * scale.double + offset.double)
        }
        return result.value
    }

    /// A product has no more places than the raw number's precision gives it; the sum with the offset is exact.
    private func float(_ raw: Float) throws(ValueProblem) -> Value {
        guard raw.isFinite else { throw ValueProblem("not a number (\(raw))") }
        guard let exact = DecimalNumber(shortest: raw) else {
            return .number(Double(raw) * scale.double + offset.double)
        }
        guard !isPlain else { return .number(exact.double) }
        guard let product = exact.multiplied(by: scale).flatMap({ DecimalNumber(shortest: Float($0.double)) }),
            let result = product.added(to: offset)
        else { return .number(Double(raw) * scale.double + offset.double) }
        return .number(result.double)
    }

    private func float(_ raw: Double) throws(ValueProblem) -> Value {
        guard raw.isFinite else { throw ValueProblem("not a number (\(raw))") }
        guard !isPlain else { return .number(raw) }
        guard
            let product = DecimalNumber(shortest: raw)?.multiplied(by: scale).flatMap({
                DecimalNumber(shortest: $0.double)
            }),
            let result = product.added(to: offset)
        else { return .number(raw * scale.double + offset.double) }
        return .number(result.double)
    }

    private func decimalDigits(_ raw: UInt64) throws(ValueProblem) -> Int128 {
        var result: Int128 = 0
        for shift in stride(from: type.registers * 16 - 4, through: 0, by: -4) {
            let digit = raw >> UInt64(shift) & 15
            guard digit < 10 else { throw ValueProblem("not decimal digits (0x\(String(raw, radix: 16)))") }
            result = result * 10 + Int128(digit)
        }
        return result
    }

    // MARK: - Writing

    /// The registers that hold this value, highest byte of each first. Not for `bool` and `bit`, which are no registers.
    package func registers(_ wanted: WantedValue) throws(ValueProblem) -> [UInt16] {
        switch (type, wanted) {
        case (.bool, _), (.bit, _): throw ValueProblem("is one bit")
        case (.string(let count), .text(let text)):
            guard text.utf8.count <= count else { throw ValueProblem("\(text.utf8.count) bytes, where \(count) fit") }
            return words(Array(text.utf8) + [UInt8](repeating: 0, count: type.registers * 2 - text.utf8.count))
        case (.string, _): throw ValueProblem("\(wanted.shown) is not a text (in quotes)")
        case (_, .text(let text)):
            guard let raw = names.first(where: { $0.value == text })?.key else {
                throw ValueProblem(Self.notNamed(text, names))
            }
            return words(try bytes(raw))
        case (_, .boolean): throw ValueProblem("\(wanted.shown) is not a number")
        case (_, .number(let number)): return words(try bytes(of: number))
        }
    }

    /// Where a bit of the value is in the register as it is sent.
    package func bitOnWire(_ bit: Int) -> Int { order.swapsBytes ? bit ^ 8 : bit }

    private func bytes(of number: DecimalNumber) throws(ValueProblem) -> [UInt8] {
        if let least, number < least { throw ValueProblem("\(number.text) is below the least, \(least.text)") }
        if let most, number > most { throw ValueProblem("\(number.text) is above the most, \(most.text)") }
        guard type.wholeRange != nil else {
            if isPlain { return try floatBytes(number.double) }
            return try floatBytes((number.added(to: offset.negated) ?? number).double / scale.double)
        }
        return try bytes(try raw(number))
    }

    private static func notNamed(_ text: String, _ names: [Int128: String]) -> String {
        guard !names.isEmpty else { return "\"\(text)\" is not a number" }
        let known = names.sorted { $0.key < $1.key }.map(\.value).joined(separator: ", ")
        return "\"\(text)\" is not one of \(known)"
    }

    /// A number that stands between two steps of the scale is refused: the device would hold another than was asked for.
    private func raw(_ number: DecimalNumber) throws(ValueProblem) -> Int128 {
        guard let raw = number.added(to: offset.negated)?.wholeQuotient(by: scale) else {
            throw ValueProblem("\(number.text) is not one of its steps (\(scale.text) each)")
        }
        return raw
    }

    private func bytes(_ raw: Int128) throws(ValueProblem) -> [UInt8] {
        if let range = type.wholeRange {
            guard range.contains(raw) else {
                let bounds = [range.lowerBound, range.upperBound].map(shown).joined(separator: " to ")
                throw ValueProblem("\(shown(raw)) is out of range (\(type): \(bounds))")
            }
        }
        var bits = UInt64(truncatingIfNeeded: raw)
        if type == .bcd16 || type == .bcd32 {
            var rest = raw
            bits = 0
            for shift in stride(from: 0, to: type.registers * 16, by: 4) {
                bits |= UInt64(rest % 10) << UInt64(shift)
                rest /= 10
            }
        }
        return bigEndian(bits)
    }

    /// A raw number as the value that it would be.
    private func shown(_ raw: Int128) -> String {
        DecimalNumber(raw).multiplied(by: scale)?.added(to: offset)?.text ?? "\(raw)"
    }

    private func floatBytes(_ number: Double) throws(ValueProblem) -> [UInt8] {
        guard type == .float32 else { return bigEndian(number.bitPattern) }
        let single = Float(number)
        guard single.isFinite else { throw ValueProblem("\(number) is out of range (float32)") }
        return bigEndian(UInt64(single.bitPattern))
    }

    private func bigEndian(_ bits: UInt64) -> [UInt8] {
        stride(from: type.registers * 16 - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: bits >> UInt64($0)) }
    }

    private func words(_ bytes: [UInt8]) -> [UInt16] {
        let arranged = order.arranged(bytes)
        return stride(from: 0, to: arranged.count, by: 2).map { UInt16(arranged[$0]) << 8 | UInt16(arranged[$0 + 1]) }
    }
}
