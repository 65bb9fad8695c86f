import Bridge
import JSON
import Testing

@testable import Modbus

@Suite struct ValueTests {
    private func format(_ type: String, _ order: String = "ABCD", scale: String = "1", offset: String = "0") throws
        -> ValueFormat
    {
        var format = ValueFormat(try #require(ValueType(type)))
        format.order = try #require(ByteOrder(rawValue: order))
        format.scale = try #require(DecimalNumber(scale))
        format.offset = try #require(DecimalNumber(offset))
        return format
    }

    private func bytes(_ hexadecimal: String) -> [UInt8] {
        stride(from: 0, to: hexadecimal.utf8.count, by: 2).compactMap {
            UInt8(hexadecimal.dropFirst($0).prefix(2), radix: 16)
        }
    }

    private func wanted(_ value: String, _ type: ValueType) -> WantedValue {
        if case .string = type { return .text(value) }
        return WantedValue(plain: value)
    }

    /// Read and written as Python's `struct` has them.
    @Test func everyTypeInEveryOrder() throws {
        for (type, order, hexadecimal, text) in valueReference {
            let format = try format(type, order)
            let bytes = bytes(hexadecimal)

            let read = try format.value(bytes[...]).plain
            let same = read == text || Float(read) == Float(text)
            #expect(same, "\(type) \(order) \(hexadecimal): \(read), not \(text)")

            // 38 digits of an exponent are no decimal here, and are refused rather than rounded.
            guard !text.contains("e+") else { continue }
            let written = try format.registers(wanted(text, format.type)).flatMap {
                [UInt8($0 >> 8), UInt8($0 & 0xFF)]
            }
            #expect(written == bytes, "\(type) \(order) \(text)")
        }
    }

    @Test(arguments: [
        ("int16", "00d7", "0.1", "0", "21.5"), ("int16", "ff29", "0.1", "0", "-21.5"),
        ("uint16", "0003", "0.1", "0", "0.3"),
        ("int16", "0064", "0.01", "-40", "-39"), ("uint16", "ffff", "0.001", "0.5", "66.035"),
        ("int32", "00000001", "1e-6", "0", "0.000001"), ("uint16", "000a", "10", "0", "100"),
        ("uint64", "ffffffffffffffff", "1", "1", "18446744073709552000"),
        ("uint64", "0020000000000001", "1", "-1", "9007199254740992"),
        ("float32", "41ac0000", "0.1", "0", "2.15"), ("float32", "3dcccccd", "3", "0", "0.3"),
        ("float32", "3eaaaaab", "1.8", "32", "32.6"), ("float64", "3fb999999999999a", "3", "0", "0.3"),
        ("bcd16", "1234", "0.01", "0", "12.34"),
    ])
    func scaledWithoutABinaryTail(type: String, bytes hexadecimal: String, scale: String, offset: String, value: String)
        throws
    {
        let format = try format(type, scale: scale, offset: offset)

        #expect(try format.value(bytes(hexadecimal)[...]).plain == value)
    }

    /// Every raw value of 16 bits, by a scale that binary numbers don't have, comes out with its one decimal and goes back.
    @Test func scalesOfTenAreExact() throws {
        let format = try format("int16", scale: "0.1")
        for raw in stride(from: -32768, through: 32767, by: 7) {
            let word = UInt16(bitPattern: Int16(raw))
            let read = try format.value([UInt8(word >> 8), UInt8(word & 0xFF)]).plain
            let digits = raw % 10 == 0 ? "\(abs(raw) / 10)" : "\(abs(raw) / 10).\(abs(raw) % 10)"
            #expect(read == (raw < 0 ? "-" : "") + digits)
            #expect(try format.registers(WantedValue(plain: read)) == [word])
        }
    }

    @Test func whatIsNoNumberIsAProblem() throws {
        #expect(throws: ValueProblem.self) { try format("float32").value(bytes("7fc00000")[...]) }
        #expect(throws: ValueProblem.self) { try format("float64").value(bytes("fff0000000000000")[...]) }
        #expect(throws: ValueProblem.self) { try format("bcd16").value(bytes("12a4")[...]) }
    }

    @Test(arguments: [
        ("int16", "1", "32768"), ("int16", "1", "-32769"), ("uint16", "1", "-1"), ("uint16", "0.1", "6553.6"),
        ("uint32", "1", "4294967296"), ("int64", "1", "9223372036854775808"), ("bcd16", "1", "10000"),
        ("uint16", "0.1", "21.55"), ("uint16", "1", "on"), ("uint16", "1", "true"), ("int16", "1", "1.5"),
        ("float32", "1", "1" + String(repeating: "0", count: 36) + "0000"), ("bit(3)", "1", "1"),
    ])
    func whatDoesNotFitIsNotWritten(type: String, scale: String, value: String) throws {
        let format = try format(type, scale: scale)

        #expect(throws: ValueProblem.self) { try format.registers(WantedValue(plain: value)) }
    }

    @Test func boundsAndNames() throws {
        var format = try format("uint16")
        format.least = DecimalNumber(10)
        format.most = DecimalNumber(20)
        #expect(try format.registers(.number(DecimalNumber(20))) == [20])
        #expect(throws: ValueProblem("21 is above the most, 20")) { try format.registers(.number(DecimalNumber(21))) }
        format = try self.format("uint16")
        format.names = [0: "off", 1: "on"]
        #expect(try format.value([0, 1]) == .text("on"))
        #expect(try format.value([0, 7]) == .integer(7))
        #expect(try format.registers(.text("off")) == [0])
        #expect(throws: ValueProblem("\"of\" is not one of off, on")) { try format.registers(.text("of")) }
    }

    @Test func bitsOfARegister() throws {
        for bit in 0..<16 {
            let word = UInt16(1) << UInt16(bit)
            let big = [UInt8(word >> 8), UInt8(word & 0xFF)]
            #expect(try format("bit(\(bit))").value(big[...]) == .boolean(true))
            #expect(try format("bit(\(bit))").value([~big[0], ~big[1]]) == .boolean(false))
            #expect(try format("bit(\(bit))", "BADC").value([big[1], big[0]]) == .boolean(true))
        }
    }

    @Test func textsThatAreNotUTF8() {
        #expect(Text.decode([0x50, 0xFC, 0x6D]) == "Püm")
        #expect(Text.decode(Array("Pumpe 7   ".utf8) + [0, 0x41]) == "Pumpe 7")
    }

    @Test(
        arguments: [
            ("21.5", .number(DecimalNumber(215, places: 1))), ("true", .boolean(true)), ("on", .text("on")),
            ("{\"value\":1}", .number(.one)), (" 7\n", .number(DecimalNumber(7))), ("\"on\"", .text("on")),
            ("{\"value\":18446744073709551615,\"id\":\"a\"}", .number(DecimalNumber(18_446_744_073_709_551_615))),
            ("{\"value\":null}", nil), ("{}", nil), ("", nil), ("{\"value\":[1]}", nil),
            ("{\"value\":\"on\"}", .text("on")),
            ("1e3", .number(DecimalNumber(1000))), ("-0.50", .number(DecimalNumber(-5, places: 1))),
        ] as [(String, WantedValue?)])
    func payloadsOfWrites(payload: String, value: WantedValue?) {
        #expect(WriteCommand(Array(payload.utf8), for: .uint16).value == value)
    }

    @Test func aPlainPayloadForATextIsTheText() {
        #expect(WriteCommand(Array("007".utf8), for: .string(8)).value == .text("007"))
    }

    @Test func decimalsCompare() throws {
        let numbers = ["-1", "-0.5", "0", "0.001", "0.01", "21.5", "22"].compactMap { DecimalNumber($0) }
        #expect(numbers.count == 7)
        #expect(numbers.shuffled().sorted() == numbers)
    }
}
