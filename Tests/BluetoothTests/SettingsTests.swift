import Bridge
import Configuration
import Testing

@testable import Bluetooth

@Suite struct SettingsTests {
    private func problems(_ json: String) throws -> [String] {
        let table = try ModuleInput.table(from: Array(json.utf8))
        do throws(ModuleTable.Problems) {
            _ = try ModuleTable.read(BluetoothSettings.self, from: table, checking: BluetoothChecks.check)
            return []
        } catch {
            return error.list.map { "\($0.path): \($0.message)" }
        }
    }

    private func settings(_ json: String) throws -> BluetoothSettings {
        try ModuleTable.read(
            BluetoothSettings.self, from: try ModuleInput.table(from: Array(json.utf8)),
            checking: BluetoothChecks.check)
    }

    @Test func readsWhatTheReferenceShows() throws {
        let settings = try settings(
            """
            {"adapter": "hci1", "allow": ["A4:C1:38:00:11:22", "name:ATC_*"], "dedup": "3s", "rssi": true, "raw": true,
             "timeout": "90s", "format": "plain",
             "device": [{"address": "a4:c1:38:00:11:22", "name": "fridge", "twin": true, "characteristic": [
               {"uuid": "2a19", "name": "battery", "interval": "1h"},
               {"uuid": "0000fff1-0000-1000-8000-00805f9b34fb", "name": "light", "type": "bool", "writable": true,
                "notify": true}]}]}
            """)
        #expect(settings.adapter == "hci1" && settings.dedup == .seconds(3) && settings.rssi && settings.raw)
        #expect(settings.allow == [.address(DeviceAddress(bits: 0xA4C1_3800_1122)), .name(pattern: "ATC_*")])
        let device = try #require(settings.devices.first)
        #expect(device.label == "fridge" && device.twin && device.staysConnected)
        #expect(device.characteristics[0].uuid == AttributeUUID(short: 0x2A19))
        #expect(device.characteristics[0].interval == .seconds(3600) && device.characteristics[0].order == .lowFirst)
        #expect(device.characteristics[1].type == .bool && device.characteristics[1].notify)
    }

    @Test(arguments: [
        (#"{"adaptor": "hci0"}"#, "adaptor: unknown key; did you mean adapter?"),
        (#"{"adapter": "usb0"}"#, #"adapter: "usb0" is not an adapter (hci0, hci1, ...)"#),
        (
            #"{"allow": ["A4:C1:38:00:11"]}"#,
            #"allow: "A4:C1:38:00:11" is neither an address ("A4:C1:38:00:11:22") nor a name ("name:ATC_*")"#
        ),
        (#"{"topic": "ble/{device}"}"#, "topic: needs {measurement}, or different values would share a topic"),
        (
            #"{"topic": "ble/{devise}/{measurement}"}"#,
            "topic: {devise} is not a placeholder here ({device}, {measurement}, {node}, {name})"
        ),
        (#"{"keys_file": "/nonexistent"}"#, #"keys_file: "/nonexistent": No such file or directory"#),
        (#"{"retry": {"min": "1m", "max": "1s"}}"#, "retry.min: min is longer than max"),
        (#"{"device": [{"name": "x"}]}"#, "device.0.address: is missing"),
        (
            #"{"device": [{"address": "A4:C1:38:00:11:2G"}]}"#,
            #"device.0.address: "A4:C1:38:00:11:2G" is not an address ("A4:C1:38:00:11:22")"#
        ),
        (
            #"{"device": [{"address": "A4:C1:38:00:11:22"}, {"address": "a4:c1:38:00:11:22", "name": "x"}]}"#,
            "device.1.address: another device has the address A4:C1:38:00:11:22"
        ),
        (
            #"{"device": [{"address": "A4:C1:38:00:11:22", "name": "x"}, {"address": "A4:C1:38:00:11:23", "name": "x"}]}"#,
            #"device.1.name: another device has the name "x""#
        ),
        (
            #"{"device": [{"address": "A4:C1:38:00:11:22", "name": "a/b"}]}"#,
            #"device.0.name: "a/b" is not one level of a topic (no / + # { })"#
        ),
    ])
    func saysWhatIsWrongAndWhere(json: String, expected: String) throws {
        #expect(try problems(json) == [expected])
    }

    @Test(arguments: [
        (
            #""uuid": "2a1", "name": "x", "interval": 60"#,
            #"uuid: "2a1" is not a UUID ("2a19" or "00002a19-0000-1000-8000-00805f9b34fb")"#
        ),
        (#""name": "x", "interval": 60"#, "uuid: is missing"),
        (#""uuid": "2a19", "interval": 60"#, "name: is missing"),
        (#""uuid": "2a19", "name": "state", "interval": 60"#, #"name: "state" is where online and offline are told"#),
        (
            #""uuid": "2a19", "name": "x", "interval": 60, "order": "BADC", "type": "uint24""#,
            "order: BADC needs an even number of bytes"
        ),
        (
            #""uuid": "2a19", "name": "x", "interval": 60, "type": "string", "scale": 2"#,
            "scale: is for numbers, and the type is string"
        ),
        (#""uuid": "2a19", "name": "x", "interval": 60, "scale": 0"#, "scale: 0 would make every value the same"),
        (#""uuid": "2a19", "name": "x", "interval": 60, "enum": {"one": "on"}"#, #"enum: "one" is not a whole number"#),
    ])
    func saysWhatIsWrongWithACharacteristic(keys: String, expected: String) throws {
        let json = #"{"device": [{"address": "A4:C1:38:00:11:22", "characteristic": [{\#(keys)}]}]}"#
        #expect(try problems(json) == ["device.0.characteristic.0.\(expected)"])
    }

    @Test func aCharacteristicThatNothingIsDoneWithIsAMistake() throws {
        let json = #"{"device": [{"address": "A4:C1:38:00:11:22", "characteristic": [{"uuid": "2a19", "name": "x"}]}]}"#
        #expect(
            try problems(json) == [
                "device.0.characteristic.0: needs interval, notify or writable: nothing is done with it"
            ])
    }

    @Test func moreDevicesThanTheAdapterHasRoomForCannotStayConnected() throws {
        let devices = (1...4).map {
            #"{"address": "A4:C1:38:00:11:0\#($0)", "characteristic": [{"uuid": "2a19", "name": "x", "notify": true}]}"#
        }
        let json = #"{"device": [\#(devices.joined(separator: ","))]}"#
        #expect(try problems(json).first?.hasPrefix("connections: 4 devices stay connected") == true)
    }

    // MARK: - Keys

    @Test func keysAreReadLineByLine() throws {
        let file = KeysFile(
            Array(
                """
                # bind keys
                A4:C1:38:00:11:22 231d39c1d7cc1ab1aee224cd096db932

                  a4:c1:38:00:11:23\t231D39C1D7CC1AB1AEE224CD096DB932\r
                """.utf8))
        #expect(file.problems.isEmpty)
        #expect(file.keys.keys.sorted() == [0xA4C1_3800_1122, 0xA4C1_3800_1123].map { DeviceAddress(bits: $0) })
    }

    @Test func aKeyThatIsNoneIsNamedByItsLineAndNeverShown() {
        let file = KeysFile(
            Array(
                """
                A4:C1:38:00:11:22 231d39c1
                nobody 231d39c1d7cc1ab1aee224cd096db932
                A4:C1:38:00:11:22
                A4:C1:38:00:11:22 231d39c1d7cc1ab1aee224cd096db932
                A4:C1:38:00:11:22 231d39c1d7cc1ab1aee224cd096db932
                """.utf8))
        #expect(
            file.problems == [
                "line 1: the key of A4:C1:38:00:11:22 is not 32 hexadecimal digits",
                "line 2: \"nobody\" is not an address (A4:C1:38:00:11:22)", "line 3: is not an address and a key",
                "line 5: A4:C1:38:00:11:22 has a key already",
            ])
        #expect(file.keys.count == 1)
    }

    // MARK: - Whom to listen to

    @Test(arguments: [
        ("ATC_*", "ATC_001122", true), ("ATC_*", "xATC_", false), ("*", "", true), ("*_?", "a_b", true),
        ("*_?", "a_", false), ("a*b*c", "aXbYbc", true), ("a*b*c", "aXbYb", false), ("abc", "abc", true),
        ("", "", true),
    ])
    func patternsMatchNames(pattern: String, name: String, expected: Bool) {
        #expect(AllowList.matches(Array(pattern.utf8), Array(name.utf8)) == expected)
    }

    @Test func devicesWithATableAreAlwaysListenedTo() {
        let one = DeviceAddress(bits: 1)
        let list = AllowList([.name(pattern: "x*")], always: [one])
        #expect(list.allows(one, name: nil) && list.allows(DeviceAddress(bits: 2), name: "xy"))
        #expect(!list.allows(DeviceAddress(bits: 2), name: nil) && !list.allows(DeviceAddress(bits: 2), name: "y"))
        #expect(AllowList([]).allows(DeviceAddress(bits: 2), name: nil))
    }

    // MARK: - Names of things

    @Test func addressesAndUUIDsReadBackAsTheyAreWritten() throws {
        let address = try #require(DeviceAddress(parsing: "a4:C1:38:00:11:22"))
        #expect(address.description == "A4:C1:38:00:11:22" && address.compact == "A4C138001122")
        for text in ["", "A4C138001122", "A4:C1:38:00:11:2", "A4:C1:38:00:11:222", "A4-C1-38-00-11-22"] {
            #expect(DeviceAddress(parsing: text) == nil)
        }
        let uuid = try #require(AttributeUUID(parsing: "0000FCD2-0000-1000-8000-00805F9B34FB"))
        #expect(uuid == AttributeUUID(short: 0xFCD2) && uuid.short == 0xFCD2)
        #expect(AttributeUUID(parsing: "fcd2") == uuid && AttributeUUID(parsing: "0000fcd2") == uuid)
        let long = "ebe0ccc1-7a0a-4b0c-8a1a-6ff2997da3a6"
        #expect(AttributeUUID(parsing: long)?.description == long && AttributeUUID(parsing: long)?.short == nil)
        for text in ["", "fcd", "0000fcd2-0000-1000-8000-00805f9b34f", "0000fcd2+0000-1000-8000-00805f9b34fb"] {
            #expect(AttributeUUID(parsing: text) == nil)
        }
    }
}
