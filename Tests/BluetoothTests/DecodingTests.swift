import Bridge
import Testing

@testable import Bluetooth

/// Advertisements as their makers publish them, with what they say.
@Suite struct DecodingTests {
    struct Case: CustomTestStringConvertible {
        var testDescription: String
        var kind: Advertisement.Part.Kind
        var hex: String
        var expected: [String]
        var sequence: UInt32?
        var address = "A4:C1:38:8D:18:B2"
        var key: String?

        init(
            _ description: String, _ kind: Advertisement.Part.Kind, _ hex: String, _ expected: [String],
            sequence: UInt32? = nil, address: String = "A4:C1:38:8D:18:B2", key: String? = nil
        ) {
            testDescription = description
            self.kind = kind
            self.hex = hex
            self.expected = expected
            self.sequence = sequence
            self.address = address
            self.key = key
        }
    }

    private static let bthome = Advertisement.Part.Kind.service(AttributeUUID(short: 0xFCD2))
    private static let eddystone = Advertisement.Part.Kind.service(AttributeUUID(short: 0xFEAA))
    private static let thermometer = Advertisement.Part.Kind.service(AttributeUUID(short: 0x181A))
    private static let ruuvi = Advertisement.Part.Kind.manufacturer(0x0499)
    private static let apple = Advertisement.Part.Kind.manufacturer(0x004C)

    /// https://bthome.io/format, its examples in order.
    static let bthomeCases = [
        Case("battery", bthome, "400161", ["battery 97 %"]),
        Case("temperature", bthome, "4002ca09", ["temperature 25.06 °C"]),
        Case("temperature below zero", bthome, "40020afe", ["temperature -5.02 °C"]),
        Case("humidity", bthome, "4003bf13", ["humidity 50.55 %"]),
        Case("pressure", bthome, "4004138a01", ["pressure 1008.83 hPa"]),
        Case("illuminance", bthome, "4005138a14", ["illuminance 13460.67 lx"]),
        Case("mass", bthome, "40065e1f", ["mass 80.3 kg"]),
        Case("mass in pounds", bthome, "40073e1d", ["mass 74.86 lb"]),
        Case("dew point", bthome, "4008ca06", ["dew_point 17.38 °C"]),
        Case("count", bthome, "400960", ["count 96"]),
        Case("energy", bthome, "400a138a14", ["energy 1346.067 kWh"]),
        Case("power", bthome, "400b021b00", ["power 69.14 W"]),
        Case("voltage", bthome, "400c020c", ["voltage 3.074 V"]),
        Case("particles", bthome, "400d120c0e021c", ["pm25 3090 µg/m³", "pm10 7170 µg/m³"]),
        Case(
            "flags", bthome, "400f011001110012e204", ["generic true", "power_on true", "opening false", "co2 1250 ppm"]),
        Case("tvoc", bthome, "40133301", ["tvoc 307 µg/m³"]),
        Case("moisture", bthome, "4014020c2f23", ["moisture_1 30.74 %", "moisture_2 35 %"]),
        Case("battery low", bthome, "401501", ["battery_low true"]),
        Case("a button", bthome, "403a01", ["button press !"]),
        Case("two buttons, of which one is pressed", bthome, "403a003a02", ["button_2 double_press !"]),
        Case("held", bthome, "403a80", ["button hold_press !"]),
        Case("dimmer", bthome, "403c0103", ["dimmer rotate_left !", "dimmer_steps 3 !"]),
        Case("dimmer at rest", bthome, "403c0000", []),
        Case("a command", bthome, "403b0002", ["command toggle !"]),
        Case("a command with arguments", bthome, "403b0203aabb", ["command step_up !", "command_arguments aabb !"]),
        Case("counts", bthome, "403d09603e2a2c0960", ["count_1 24585", "count_2 1611213866"]),
        Case("rotation", bthome, "403f020c", ["rotation 307.4 °"]),
        Case("distances", bthome, "40400c0041 4e00", ["distance_1 12 mm", "distance_2 7.8 m"]),
        Case("duration", bthome, "40424e3400", ["duration 13.39 s"]),
        Case("current", bthome, "40434e34", ["current 13.39 A"]),
        Case("speed", bthome, "40444e34", ["speed 133.9 m/s"]),
        Case("temperature in tenths", bthome, "40451101", ["temperature 27.3 °C"]),
        Case("UV index", bthome, "404632", ["uv_index 5"]),
        Case("volumes", bthome, "40478756 48dc87", ["volume_1 2215.1 L", "volume_2 34780 mL"]),
        Case("flow", bthome, "4049dc87", ["volume_flow_rate 34.78 m³/h"]),
        Case("voltage in tenths", bthome, "404a020c", ["voltage 307.4 V"]),
        Case("gas", bthome, "404b138a14", ["gas 1346.067 m³"]),
        Case("water", bthome, "404f87562a01", ["water 19551.879 L"]),
        Case("time", bthome, "40505d396164", ["timestamp 1684093277 s"]),
        Case("acceleration", bthome, "40518756", ["acceleration 22.151 m/s²"]),
        Case("text", bthome, "40530c48656c6c6f20576f726c6421", ["text Hello World!"]),
        Case("raw", bthome, "40540c48656c6c6f20576f726c6421", ["raw 48656c6c6f20576f726c6421"]),
        Case("conductivity", bthome, "4056e803", ["conductivity 1000 µS/cm"]),
        Case("whole degrees", bthome, "4057ea", ["temperature -22 °C"]),
        Case("steps of 0.35 degrees", bthome, "4058ea", ["temperature -7.7 °C"]),
        Case(
            "counts below zero", bthome, "4059ea5aeaea5beaeaeaea",
            ["count_1 -22", "count_2 -5398", "count_3 -353703190"]),
        Case("power below zero", bthome, "405c02fbffff", ["power -12.78 W"]),
        Case("direction", bthome, "405e9f8c", ["direction 359.99 °"]),
        Case("versions", bthome, "40f00100f100010204", ["device_type_id 1", "firmware_version 4.2.1.0"]),
        Case(
            "the packet's number", bthome, "40000902ca0903bf13", ["temperature 25.06 °C", "humidity 50.55 %"],
            sequence: 9),
        Case("the address inside", bthome, "42b2188d38c1a402ca09", ["temperature 25.06 °C"]),
        Case("an object from the future", bthome, "4002ca09ef0102", ["temperature 25.06 °C"]),
        Case("cut short", bthome, "4002ca0903bf", ["temperature 25.06 °C"]),
        // https://bthome.io/encryption
        Case(
            "encrypted", bthome, "41e445f3c9962b332211006c7c4519", ["temperature 25.06 °C", "humidity 50.55 %"],
            sequence: 0x0011_2233, address: "54:48:E6:8F:80:A5", key: "231d39c1d7cc1ab1aee224cd096db932"),
    ]

    /// https://docs.ruuvi.com, RAWv2's test vectors.
    static let otherCases = [
        Case(
            "Ruuvi, valid", ruuvi, "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F",
            [
                "temperature 24.3 °C", "humidity 53.49 %", "pressure 1000.44 hPa", "acceleration_x 0.004 g",
                "acceleration_y -0.004 g", "acceleration_z 1.036 g", "voltage 2.977 V", "tx_power 4 dBm",
                "movement_count 66", "measurement_sequence 205",
            ], sequence: 205),
        Case(
            "Ruuvi, maximum", ruuvi, "057FFFFFFEFFFE7FFF7FFF7FFFFFDEFEFFFECBB8334C884F",
            [
                "temperature 163.835 °C", "humidity 163.835 %", "pressure 1155.34 hPa", "acceleration_x 32.767 g",
                "acceleration_y 32.767 g", "acceleration_z 32.767 g", "voltage 3.646 V", "tx_power 20 dBm",
                "movement_count 254", "measurement_sequence 65534",
            ], sequence: 65534),
        Case(
            "Ruuvi, minimum", ruuvi, "058001000000008001800180010000000000CBB8334C884F",
            [
                "temperature -163.835 °C", "humidity 0 %", "pressure 500 hPa", "acceleration_x -32.767 g",
                "acceleration_y -32.767 g", "acceleration_z -32.767 g", "voltage 1.6 V", "tx_power -40 dBm",
                "movement_count 0", "measurement_sequence 0",
            ], sequence: 0),
        Case(
            "Eddystone UID", eddystone, "00e700010203040506070809aabbccddeeff0000",
            [
                "eddystone_tx_power -25 dBm", "eddystone_namespace 00010203040506070809",
                "eddystone_instance aabbccddeeff",
            ]),
        Case(
            "Eddystone URL", eddystone, "10f80373697465082f78",
            ["eddystone_tx_power -8 dBm", "eddystone_url https://site.org/x"]),
        Case(
            "Eddystone TLM", eddystone, "20000bb81580000000640000 03e8",
            ["voltage 3 V", "temperature 21.5 °C", "advertisement_count 100", "uptime 100 s"]),
        Case(
            "Eddystone TLM without sensors", eddystone, "2000000080000000006400 0003e8",
            ["advertisement_count 100", "uptime 100 s"]),
        Case(
            "iBeacon", apple, "0215e2c56db5dffb48d2b060d0f5a71096e000010002c5",
            [
                "ibeacon_uuid e2c56db5-dffb-48d2-b060-d0f5a71096e0", "ibeacon_major 1", "ibeacon_minor 2",
                "ibeacon_tx_power -59 dBm",
            ]),
        Case(
            "atc1441", thermometer, "a4c1380283f400a22f5f0bf819",
            ["temperature 16.2 °C", "humidity 47 %", "battery 95 %", "voltage 3.064 V"], sequence: 25),
        Case(
            "pvvx", thermometer, "b2188d38c1a42b089011f70a43200f",
            [
                "temperature 20.91 °C", "humidity 44.96 %", "voltage 2.807 V", "battery 67 %", "opening true",
                "switch true",
            ], sequence: 32),
        Case(
            "pvvx, encrypted", thermometer, "11d603fbfa7b6dfb1e26fd",
            ["temperature 23.45 °C", "humidity 41.73 %", "battery 61 %", "opening false", "switch false"], sequence: 17,
            key: "b9ea895fac7eea6d30532432a516f3a3"),
    ]

    @Test(arguments: bthomeCases + otherCases)
    func saysWhatItsMakerSays(_ item: Case) throws {
        let address = try #require(DeviceAddress(parsing: item.address))
        let key = item.key.flatMap { Hexadecimal.bytes($0) }.flatMap { BindKey($0) }
        var decoder = AdvertisementDecoder(keys: key.map { [address: $0] } ?? [:])

        let decoded = try decoder.decode(.init(item.kind, bytes(item.hex)), from: address)

        #expect(decoded.measurements.map(text) == item.expected)
        #expect(decoded.sequence == item.sequence)
    }

    @Test(arguments: [
        (bthome, ""), (bthome, "40"), (bthome, "2002ca09"), (bthome, "40ef01"), (bthome, "4002ca"),
        (ruuvi, "058000FFFFFFFF800080008000FFFFFFFFFFFFFFFFFFFFFF"),
        (ruuvi, "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C88"), (eddystone, "00e7"), (eddystone, "10f80573"),
        (eddystone, "10f8037fff"), (eddystone, "20000bb8"), (apple, "0215e2c5"),
    ])
    func whatIsNotWellFormedSaysNothing(kind: Advertisement.Part.Kind, hex: String) throws {
        var decoder = AdvertisementDecoder()
        #expect(throws: DecodingFailure.malformed) {
            try decoder.decode(.init(kind, bytes(hex)), from: DeviceAddress(bits: 1))
        }
    }

    @Test(arguments: [
        (Advertisement.Part.Kind.service(AttributeUUID(short: 0x180F)), "64"), (.manufacturer(0x1234), "00"),
        (eddystone, "300011223344556677"), (eddystone, "2001000000000000000000000000000000"), (apple, "1005"),
        (thermometer, "0011"), (ruuvi, "03ff"),
    ])
    func othersAreGivenAsHexadecimalWhenAskedFor(kind: Advertisement.Part.Kind, hex: String) throws {
        let part = Advertisement.Part(kind, bytes(hex))
        var plain = AdvertisementDecoder()
        #expect(throws: DecodingFailure.unknownFormat) { try plain.decode(part, from: DeviceAddress(bits: 1)) }
        var raw = AdvertisementDecoder(isRaw: true)
        let decoded = try raw.decode(part, from: DeviceAddress(bits: 1))
        #expect(decoded.measurements == [Measurement(kind.name, .text(hex))])
    }

    // MARK: - Encryption

    private static let sender = "54:48:E6:8F:80:A5"
    private static let secret = "231d39c1d7cc1ab1aee224cd096db932"

    private func encrypted(_ key: String = secret) throws -> (AdvertisementDecoder, DeviceAddress) {
        let address = try #require(DeviceAddress(parsing: Self.sender))
        let key = try #require(Hexadecimal.bytes(key).flatMap { BindKey($0) })
        return (AdvertisementDecoder(keys: [address: key]), address)
    }

    @Test func anEncryptedMessageCountsOnce() throws {
        var (decoder, address) = try encrypted()
        let part = Advertisement.Part(Self.bthome, bytes("41e445f3c9962b332211006c7c4519"))
        _ = try decoder.decode(part, from: address)
        #expect(throws: DecodingFailure.repeated) { try decoder.decode(part, from: address) }
    }

    /// Counters are made of the published message's by the test's own encryption.
    @Test func anOlderMessageIsRefusedButOfADeviceThatBeganAnew() throws {
        var (decoder, address) = try encrypted()
        func message(_ counter: UInt32) throws -> Advertisement.Part {
            .init(Self.bthome, try Sealed.bthome(bytes("02ca09"), counter: counter, from: address, key: Self.secret))
        }
        _ = try decoder.decode(try message(5000), from: address)
        #expect(throws: DecodingFailure.replayed) { try decoder.decode(try message(4999), from: address) }
        #expect(throws: DecodingFailure.replayed) { try decoder.decode(try message(100), from: address) }
        _ = try decoder.decode(try message(5001), from: address)
        // A new battery.
        _ = try decoder.decode(try message(3), from: address)
        #expect(throws: DecodingFailure.repeated) { try decoder.decode(try message(3), from: address) }
        _ = try decoder.decode(try message(4), from: address)
    }

    @Test func anotherKeyOrAChangedBitOpensNothing() throws {
        var (wrong, address) = try encrypted("00112233445566778899aabbccddeeff")
        let message = bytes("41e445f3c9962b332211006c7c4519")
        #expect(throws: DecodingFailure.keyWrong) { try wrong.decode(.init(Self.bthome, message), from: address) }
        for place in 1..<message.count {
            var (decoder, _) = try encrypted()
            var changed = message
            changed[place] ^= 0x10
            #expect(throws: DecodingFailure.keyWrong) {
                try decoder.decode(.init(Self.bthome, changed), from: address)
            }
        }
    }

    @Test func withoutItsKeyItSaysSo() {
        var decoder = AdvertisementDecoder()
        for (kind, hex) in [
            (Self.bthome, "41e445f3c9962b332211006c7c4519"), (Self.thermometer, "11d603fbfa7b6dfb1e26fd"),
        ] {
            #expect(throws: DecodingFailure.keyMissing) {
                try decoder.decode(.init(kind, bytes(hex)), from: DeviceAddress(bits: 1))
            }
        }
    }

    /// Otherwise who can't encrypt would only have to leave it.
    @Test func whoHasAKeyIsNotBelievedInTheClear() throws {
        var (decoder, address) = try encrypted()
        for (kind, hex) in [
            (Self.bthome, "4002ca09"), (Self.thermometer, "a4c1380283f400a22f5f0bf819"),
            (Self.thermometer, "b2188d38c1a42b089011f70a43200f"),
        ] {
            #expect(throws: DecodingFailure.notEncrypted) {
                try decoder.decode(.init(kind, bytes(hex)), from: address)
            }
        }
    }
}

/// "temperature 25.06 °C"; events end with "!".
private func text(_ measurement: Measurement) -> String {
    var words = [measurement.name, measurement.value.plain]
    if !measurement.unit.isEmpty { words.append(measurement.unit) }
    if measurement.isEvent { words.append("!") }
    return words.joined(separator: " ")
}

func bytes(_ hex: String) -> [UInt8] { Hexadecimal.bytes(hex.filter { $0 != " " }) ?? [] }
