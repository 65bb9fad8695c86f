import ArgumentParser
import JSON
import Modbus

extension ModbusCommand {
    struct Write: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "write",
            abstract: "Write a value to a device, and read it back.",
            discussion: """
                EXAMPLES
                  roost modbus write tcp://192.0.2.7 --table coil --address 3 true
                  roost modbus write tcp://192.0.2.7 --reference 40001 --scale 0.1 21.5
                """)
        @OptionGroup var target: Target
        @OptionGroup var place: Place

        @Argument(help: "What to write: a number, true or false, or a text.")
        var value: String

        @Flag(name: .customLong("no-verify"), help: "Don't read it back.")
        var noVerify = false

        @Flag(name: .customLong("multiple"), help: "Functions 15 and 16 for single values too.")
        var multiple = false

        func validate() throws {
            let point = try place.point()
            guard point.table.isWritable else { throw ValidationError("--table \(point.table): is read only") }
            do throws(ValueProblem) {
                _ = try requests(point)
            } catch {
                throw ValidationError("\(value): \(error)")
            }
        }

        func run() throws {
            let point = try place.point()
            let session = try target.session()
            let request = try requests(point)
            // A write that was not answered may have been done: whoever typed it decides whether to repeat it.
            switch try session.ask(request, unit: place.unit, tries: 1) {
            case .success: break
            case .failure(.timedOut):
                throw Failure.refused(
                    "unit \(place.unit) did not answer in time; it may have written the value all the same")
            case .failure(let error): throw Failure.refused("unit \(place.unit) refused: \(error)")
            }
            let held = noVerify ? nil : try readBack(point, session)
            if target.json {
                var json = JSONWriter()
                json.object { json in
                    json.member("ok", true)
                    json.member("verified", held != nil)
                    if let held { json.member("value", held) }
                }
                Document.print(json.bytes)
            } else {
                Terminal.say(held.map { "\(point.table.place(point.address)) is \($0)" } ?? "written")
            }
        }

        private func readBack(_ point: Point, _ session: ModbusSession) throws -> String {
            let request = Request.read(point.table, address: UInt16(point.address), count: point.places.count)
            guard case .success(.data(let data)) = try session.ask(request, unit: place.unit) else {
                throw Failure.refused("written, but unit \(place.unit) did not let it be read back")
            }
            let held = try point.value(in: data, from: point.address)
            guard wanted(point).isHeld(by: held) else {
                throw Failure.refused(
                    "unit \(place.unit) took it, and \(point.table.place(point.address)) is \(held.plain)")
            }
            return held.plain
        }

        private func wanted(_ point: Point) -> WantedValue {
            if case .string = point.format.type { return .text(value) }
            return WantedValue(plain: value)
        }

        private func requests(_ point: Point) throws(ValueProblem) -> Request {
            let address = UInt16(point.address)
            if point.table == .coil {
                let isOn = try wanted(point).flag()
                return multiple ? .writeCoils(address: address, [isOn]) : .writeCoil(address: address, isOn)
            }
            if case .bit(let bit) = point.format.type {
                return .maskWrite(bit: point.format.bitOnWire(bit), of: address, try wanted(point).flag())
            }
            let registers = try point.format.registers(wanted(point))
            return registers.count > 1 || multiple
                ? .writeRegisters(address: address, registers) : .writeRegister(address: address, registers[0])
        }
    }
}
