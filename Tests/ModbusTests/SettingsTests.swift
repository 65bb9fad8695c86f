import Bridge
import Configuration
import Testing

@testable import Modbus

/// The module's table: what is read of it, and what is said of mistakes.
@Suite struct SettingsTests {
    static let good = """
        {"connection": [{"name": "plc", "url": "tcp://192.0.2.7:502", "timeout": "250ms", "device": [{
          "name": "press-7", "unit": 1, "interval": "1s", "twin": true, "order": "CDAB", "point": [
            {"name": "temperature", "table": "input", "address": 0, "type": "float32", "unit": "°C", "deadband": 0.5},
            {"name": "level", "reference": "30010", "scale": 0.1, "deadband": "2%", "heartbeat": "1m"},
            {"name": "mode", "table": "holding", "address": 3, "enum": {"0": "off", "1": "on"}, "writable": true},
            {"name": "alarm", "table": "holding", "address": 4, "type": "bit(3)"},
            {"name": "alarms", "table": "holding", "address": 4},
            {"name": "lamp", "reference": "000004", "writable": true}]}]}]}
        """

    private func read(_ json: String) throws -> ModbusSettings {
        let table = try ModuleInput.table(from: Array(json.utf8))
        return try ModuleTable.read(ModbusSettings.self, from: table) { $0.check($1) }
    }

    private func problems(_ json: String) -> [String] {
        do {
            _ = try read(json)
            return []
        } catch let error as ModuleTable.Problems {
            return error.list.map { "\($0.path): \($0.message)" }
        } catch {
            return ["\(error)"]
        }
    }

    @Test func aGoodTable() throws {
        let settings = try read(Self.good)

        let device = settings.connections[0].devices[0]
        let points = device.options(retries: 1).points
        #expect(points.map(\.table) == [.input, .input, .holding, .holding, .holding, .coil])
        #expect(points.map(\.address) == [0, 9, 3, 4, 4, 3])
        #expect(points.map(\.format.type) == [.float32, .uint16, .uint16, .bit(3), .uint16, .bool])
        #expect(points[0].format.order == .cdab)
        #expect(points[1].format.scale == DecimalNumber(1, places: 1))
        #expect(device.points[1].deadband == .percent(2))
        #expect(points.map(\.isWritable) == [false, false, true, false, false, true])
    }

    /// The good table with something else in the place of a part of it.
    @Test(arguments: [
        (#""unit": 1"#, #""unit": 300"#, "connection.0.device.0.unit: 300 is not a unit (0-255)"),
        (#""timeout""#, #""timeot""#, "connection.0.timeot: unknown key; did you mean timeout?"),
        (
            #""address": 3,"#, #""address": 40001, "interval": 0,"#,
            "connection.0.device.0.point.2.interval: 0 is too short (at least 10ms)"
        ),
        (
            #""address": 3,"#, #""address": 65536,"#,
            "connection.0.device.0.point.2.address: 65536 is not an address (0-65535)"
        ),
        (
            #""address": 3,"#, #""address": 400001,"#,
            #"connection.0.device.0.point.2.address: 400001 is not an address (0-65535); reference = "400001" may be meant"#
        ),
        (
            #""reference": "30010""#, #""reference": "3010""#,
            #"connection.0.device.0.point.1.reference: "3010" is not a reference of 5 or 6 digits ("40001"); address counts from 0"#
        ),
        (
            #""reference": "30010""#, #""reference": 30010"#,
            #"connection.0.device.0.point.1.reference: 30010 is not a text: in quotes, "30010""#
        ),
        (
            #""reference": "30010""#, #""reference": "30000""#,
            #"connection.0.device.0.point.1.reference: "30000": references count from 1 to 9999"#
        ),
        (
            #""reference": "30010""#, #""reference": "50010""#,
            #"connection.0.device.0.point.1.reference: "50010": begins with none of 0 (coil), 1 (discrete), 3 (input), 4 (holding)"#
        ),
        (
            #""reference": "30010""#, #""reference": "30010", "address": 9"#,
            "connection.0.device.0.point.1.reference: is there with address; one of them is enough"
        ),
        (
            #""reference": "30010""#, #""reference": "30010", "table": "holding""#,
            #"connection.0.device.0.point.1.reference: "30010" is in table input, not holding"#
        ),
        (
            #""table": "input", "address": 0"#, #""address": 0"#,
            "connection.0.device.0.point.0.table: is missing (coil, discrete, input or holding)"
        ),
        (
            #""table": "input", "address": 0"#, #""table": "input""#,
            #"connection.0.device.0.point.0.address: is missing (address = 0, or reference = "40001")"#
        ),
        (
            #""table": "input""#, #""table": "coil""#,
            "connection.0.device.0.point.0.type: a coil holds a bool, not float32"
        ),
        (
            #""type": "float32""#, #""type": "bool""#,
            "connection.0.device.0.point.0.type: a register holds no bool; bit(0) is its lowest bit"
        ),
        (
            #""type": "float32""#, #""type": "float23""#,
            #"connection.0.device.0.point.0.type: "float23" is not one of bool, int16, uint16, int32, uint32, int64, uint64, float32, float64, bcd16, bcd32, bit(0), string(16); did you mean float32?"#
        ),
        (
            #""type": "bit(3)""#, #""type": "bit(16)""#,
            #"connection.0.device.0.point.3.type: "bit(16)" is not a bit of a register (bit(0) to bit(15))"#
        ),
        (
            #""address": 4}"#, #""address": 3}"#,
            "connection.0.device.0.point.4.address: holding register 3 belongs to mode already (3-3)"
        ),
        (
            #""address": 4}"#, #""address": 65535, "type": "uint32"}"#,
            "connection.0.device.0.point.4.address: uint32 from 65535 on goes beyond 65535"
        ),
        (
            #""address": 4}"#, #""address": 4, "type": "bit(3)"}"#,
            "connection.0.device.0.point.4.type: is the same bit as alarm"
        ),
        (#""scale": 0.1"#, #""scale": 0"#, "connection.0.device.0.point.1.scale: may not be 0"),
        (
            #""name": "level""#, #""name": "temperature""#,
            #"connection.0.device.0.point.1.name: "temperature": another point of this device has this name"#
        ),
        (
            #""name": "level""#, #""name": "a/b""#,
            #"connection.0.device.0.point.1.name: "a/b" is not one level of a topic (no / + # { })"#
        ),
        (
            #""name": "level""#, #""name": "_state""#,
            #"connection.0.device.0.point.1.name: "_state": names that begin with _ are the bridge's own"#
        ),
        (
            #""deadband": 0.5"#, #""deadband": "much""#,
            #"connection.0.device.0.point.0.deadband: "much" is not a deadband (0.5, or "2%")"#
        ),
        (
            #""deadband": 0.5"#, #""writable": true"#,
            "connection.0.device.0.point.0.writable: input is read only; coil and holding can be written"
        ),
        (
            #""1": "on""#, #""1": "off""#,
            #"connection.0.device.0.point.2.enum: "off" stands for two numbers: a write could mean either"#
        ),
        (#""1": "on""#, #""65536": "on""#, "connection.0.device.0.point.2.enum: 65536 is out of range (uint16)"),
        (
            #"tcp://192.0.2.7:502"#, "modbus.example",
            #"connection.0.url: "modbus.example" is not tcp://host:502, rtu:///dev/ttyUSB0 or rtu+tcp://host:port"#
        ),
        (
            #"tcp://192.0.2.7:502""#, #"rtu:///dev/ttyUSB0", "pipeline": 2"#,
            "connection.0.pipeline: is for tcp: a serial line carries one request at a time"
        ),
        (
            #"{"connection""#, #"{"topic": "plant/{device}", "connection""#,
            "topic: gives plc/press-7/temperature and plc/press-7/level the same topic: {connection}, {device} or {point} is missing"
        ),
        (
            #"{"connection""#, #"{"topic": "plant/{devices}/{point}", "connection""#,
            "topic: {devices} is not a placeholder here ({connection}, {device}, {point}, {node}, {name})"
        ),
        (
            #"{"connection""#, #"{"format": "jsn", "connection""#,
            #"format: "jsn" is not one of json, plain, senml, cloudevents; did you mean json?"#
        ),
    ])
    func mistakes(part: String, mistake: String, message: String) throws {
        let table = Self.good.replacing(part, with: mistake)
        #expect(table != Self.good)

        #expect(problems(table).contains(message), "\(problems(table))")
    }

    @Test func twinsAreOfOneDeviceAndHaveAnAlphabet() {
        let spaced = Self.good.replacing(#""name": "level""#, with: #""name": "oil level""#)
        #expect(
            problems(spaced) == [
                #"connection.0.device.0.point.1.name: "oil level" is not a property of a twin (a-z A-Z 0-9 - _ . , : @, at most 128)"#
            ])
        let second = #"{"name": "b", "url": "tcp://192.0.2.8", "device": [{"name": "press-7", "twin": true}]}]}"#
        let twice = String(Self.good.dropLast(2)) + ", " + second
        #expect(problems(twice) == [#"connection.1.device.0.twin: another device has the twin "press-7""#])
    }

    @Test func unitsOfASerialLine() {
        let table = Self.good.replacing("tcp://192.0.2.7:502", with: "rtu:///dev/ttyUSB0").replacing(
            #""unit": 1"#, with: #""unit": 248"#)

        #expect(problems(table) == ["connection.0.device.0.unit: 248 is not a unit (1-247)"])
    }

    @Test func aTableWithoutAConnection() {
        #expect(problems("{}") == ["connection: a modbus module needs at least one [[module.connection]]"])
    }
}

/// The files that people start from.
@Suite struct ExampleTests {
    private static let directory = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    @Test func theExampleIsRight() throws {
        let settings = try Settings.load(file: "\(Self.directory)/conf/modbus.toml")
        let module = try #require(settings.modules.first)

        let read = try ModuleTable.read(ModbusSettings.self, from: module.own) { $0.check($1) }

        #expect(settings.warnings == [])
        #expect(
            read.connections[0].devices[0].points.map(\.name) == [
                "temperature", "parts", "state", "setpoint", "guard", "lamp",
            ])
        var defaults = ModbusSettings()
        defaults.connections = read.connections
        #expect(read == defaults)
    }
}
