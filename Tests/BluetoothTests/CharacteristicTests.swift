import Bridge
import Testing

@testable import Bluetooth

/// Bytes of characteristics, and the values that they are.
@Suite struct CharacteristicTests {
    private func coder(
        _ type: String, _ order: ByteOrder = .lowFirst, scale: Double = 1, offset: Double = 0,
        names: [String: String] = [:]
    ) throws -> CharacteristicCoder {
        var settings = CharacteristicSettings()
        settings.type = try #require(CharacteristicType(parsing: type))
        settings.order = order
        settings.scale = scale
        settings.offset = offset
        settings.names = names
        return CharacteristicCoder(settings: settings)
    }

    @Test(arguments: [
        ("bool", ByteOrder.lowFirst, "01", Value.boolean(true)), ("bool", .lowFirst, "00", .boolean(false)),
        ("uint8", .lowFirst, "64", .integer(100)), ("int8", .lowFirst, "ff", .integer(-1)),
        ("uint16", .lowFirst, "d204", .integer(1234)), ("uint16", .highFirst, "04d2", .integer(1234)),
        ("int16", .lowFirst, "0080", .integer(-32768)), ("uint24", .lowFirst, "563412", .integer(0x12_3456)),
        ("int24", .highFirst, "ffffff", .integer(-1)), ("uint32", .highFirst, "01020304", .integer(0x0102_0304)),
        ("uint32", .lowFirst, "01020304", .integer(0x0403_0201)),
        ("uint32", .wordsSwapped, "01020304", .integer(0x0304_0102)),
        ("uint32", .bytesSwapped, "01020304", .integer(0x0201_0403)),
        ("uint64", .lowFirst, "ffffffffffffffff", .unsigned(.max)),
        ("int64", .lowFirst, "ffffffffffffffff", .integer(-1)),
        ("float32", .highFirst, "41ac0000", .number(21.5)), ("float32", .lowFirst, "cdccac41", .number(21.6)),
        ("float64", .highFirst, "4035800000000000", .number(21.5)), ("bcd16", .highFirst, "1234", .integer(1234)),
        ("bcd32", .lowFirst, "78563412", .integer(12_345_678)), ("string", .lowFirst, "48690000", .text("Hi")),
        ("string(4)", .lowFirst, "48690000", .text("Hi")), ("bytes", .lowFirst, "00ff", .text("00ff")),
    ])
    func readsAndWritesTheSame(type: String, order: ByteOrder, hex: String, value: Value) throws {
        let coder = try coder(type, order)
        #expect(try coder.value(of: bytes(hex)) == value)
        let written = try coder.bytes(of: value)
        #expect(try coder.value(of: written) == value)
        // Twins, and people, write texts.
        #expect(try coder.bytes(of: .text(value.plain)) == written)
    }

    @Test func aBitIsOneOfTheNumbers() throws {
        #expect(try coder("bit(9)").value(of: [0x00, 0x02]) == .boolean(true))
        #expect(try coder("bit(9)", .highFirst).value(of: [0x00, 0x02]) == .boolean(false))
        #expect(throws: CharacteristicCoder.Problem.self) { try coder("bit(9)").value(of: [0xFF]) }
        #expect(throws: CharacteristicCoder.Problem.self) { try coder("bit(0)").bytes(of: .boolean(true)) }
    }

    @Test(arguments: [
        ("int16", 0.01, 0.0, "0a0c", "30.82"), ("uint16", 0.1, -40, "9c02", "26.8"), ("uint8", 0.5, 0, "07", "3.5"),
        ("int16", 0.001, 0, "0100", "0.001"), ("float32", 1.8, 32, "cdccac41", "70.88"),
    ])
    func scalingMakesNoDecimalsOfItsOwn(
        type: String, scale: Double, offset: Double, hex: String, expected: String
    ) throws {
        let coder = try coder(type, scale: scale, offset: offset)
        let value = try coder.value(of: bytes(hex))
        #expect(value.plain == expected)
        #expect(try coder.bytes(of: value) == bytes(hex))
    }

    @Test func numbersMayHaveNames() throws {
        let coder = try coder("uint8", names: ["0": "off", "1": "on"])
        #expect(try coder.value(of: [1]) == .text("on"))
        #expect(try coder.value(of: [2]) == .integer(2))
        #expect(try coder.bytes(of: .text("off")) == [0])
        #expect(try coder.bytes(of: .integer(2)) == [2])
    }

    @Test(arguments: [
        ("uint8", Value.integer(256)), ("uint8", .integer(-1)), ("int8", .integer(128)), ("int8", .integer(-129)),
        ("uint16", .text("warm")), ("bcd16", .integer(10_000)), ("string(2)", .text("abc")), ("bytes", .text("0")),
        ("bool", .text("on")), ("float32", .number(1e300)), ("uint8", .number(.nan)), ("uint64", .text("1e30")),
        ("int64", .text("99999999999999999999")),
    ])
    func whatDoesNotFitIsRefused(type: String, value: Value) throws {
        let coder = try coder(type)
        #expect(throws: CharacteristicCoder.Problem.self) { try coder.bytes(of: value) }
    }

    @Test func whatIsWrittenKeepsToItsLimits() throws {
        var settings = try coder("int16", scale: 0.1).settings
        settings.least = 5
        settings.most = 30
        let coder = CharacteristicCoder(settings: settings)
        #expect(try coder.bytes(of: .number(21.5)) == [215, 0])
        #expect(throws: CharacteristicCoder.Problem(message: "30.1 is more than 30, the most allowed")) {
            try coder.bytes(of: .number(30.1))
        }
        #expect(throws: CharacteristicCoder.Problem(message: "4 is less than 5, the least allowed")) {
            try coder.bytes(of: .text("4"))
        }
    }

    @Test(arguments: [
        ("uint16", "01", "1 bytes, and uint16 takes 2"), ("bcd16", "1a00", "the digits are not decimal"),
        ("string", "ff", "the text is not UTF-8"),
    ])
    func whatCannotBeReadSaysWhy(type: String, hex: String, message: String) throws {
        let coder = try coder(type)
        #expect(throws: CharacteristicCoder.Problem(message: message)) { try coder.value(of: bytes(hex)) }
    }

    @Test(arguments: [
        "uint7", "uint72", "uint", "int12", "bit(64)", "bit", "string(0)", "string(x)", "uint08", "float", "",
    ])
    func otherTypesAreNone(text: String) { #expect(CharacteristicType(parsing: text) == nil) }
}
