import ArgumentParser
import Modbus

/// `roost modbus`: look at a device before it is configured.
struct ModbusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "modbus",
        abstract: "Look at Modbus devices: scan, read, write, simulate.",
        discussion: """
            It speaks to the device by itself, without roostd. A serial line takes one program
            at a time: stop the module that uses it.

            EXAMPLES
              roost modbus scan tcp://192.0.2.7
              roost modbus scan 'rtu:///dev/ttyUSB0?baud=9600&parity=none' --units 1-32
              roost modbus read tcp://192.0.2.7 --reference 30001 --type float32
              roost modbus write tcp://192.0.2.7 --table coil --address 3 true
            """,
        subcommands: [Scan.self, Read.self, Write.self, Simulate.self])

    /// Where the devices are.
    struct Target: ParsableArguments {
        @Argument(
            help: ArgumentHelp(
                "tcp://HOST[:502], rtu:///dev/ttyUSB0?baud=19200&parity=even&stop=1, or rtu+tcp://HOST:PORT.",
                valueName: "url"),
            transform: { text in
                do throws(ConnectionAddress.Problem) { return try ConnectionAddress(text) } catch {
                    throw ValidationError(error.message)
                }
            })
        var address: ConnectionAddress

        @Option(help: ArgumentHelp("How long a device may take to answer.", valueName: "seconds"))
        var timeout: Double?

        @Flag(help: "Print as JSON.")
        var json = false

        func validate() throws {
            if let timeout, !(timeout > 0 && timeout < 1e6) { throw ValidationError("--timeout: seconds") }
        }

        func session(timeout: Duration = .seconds(1)) throws -> ModbusSession {
            let given = self.timeout.map { Duration.nanoseconds(Int64($0 * 1e9)) }
            return try ModbusSession(address, timeout: given ?? timeout)
        }
    }

    /// Which value of which device.
    struct Place: ParsableArguments {
        @Option(help: "The unit identifier.")
        var unit = 1

        @Option(help: ArgumentHelp("coil, discrete, input or holding.", valueName: "table"))
        var table: DataTable?

        @Option(help: ArgumentHelp("The address as it is in requests, from 0.", valueName: "number"))
        var address: Int?

        @Option(help: ArgumentHelp("The address as manuals print it: 40001.", valueName: "digits"))
        var reference: String?

        @Option(
            help: ArgumentHelp(
                "bool, bit(0), int16, uint16, int32, uint32, int64, uint64, float32, float64, bcd16, bcd32, string(16).",
                valueName: "type"))
        var type: String?

        @Option(help: ArgumentHelp("ABCD, CDAB, BADC or DCBA.", valueName: "order"))
        var order = ByteOrder.abcd

        @Option(help: ArgumentHelp("The value is the raw number by this.", valueName: "number"))
        var scale: String?

        @Option(help: ArgumentHelp("Added after scaling.", valueName: "number"))
        var offset: String?

        func validate() throws { _ = try point() }

        /// The point that these options mean.
        func point() throws -> Point {
            guard (0...255).contains(unit) else { throw ValidationError("--unit \(unit): is not a unit (0-255)") }
            let (table, address) = try place()
            let type = try valueType(table)
            guard table.holdsBits == (type == .bool) else {
                throw ValidationError(
                    table.holdsBits
                        ? "--type \(type): a \(table) holds a bool" : "--type bool: bit(0) is a register's lowest bit")
            }
            guard address + type.registers <= 65_536 else { throw ValidationError("\(type) goes beyond address 65535") }
            var format = ValueFormat(type)
            format.order = order
            format.scale = try number(scale, "--scale") ?? .one
            format.offset = try number(offset, "--offset") ?? .zero
            guard format.scale != .zero else { throw ValidationError("--scale: may not be 0") }
            return Point(name: "", table: table, address: address, format: format, interval: .seconds(1))
        }

        private func place() throws -> (DataTable, Int) {
            if let reference {
                guard address == nil else { throw ValidationError("--address or --reference, not both") }
                let parsed: Reference
                do throws(Reference.Problem) { parsed = try Reference(reference) } catch {
                    throw ValidationError("--reference \(error.message)")
                }
                if let table, table != parsed.table {
                    throw ValidationError("--reference \(reference) is in table \(parsed.table), not \(table)")
                }
                return (parsed.table, parsed.address)
            }
            guard let table else { throw ValidationError("--table is missing (coil, discrete, input, holding)") }
            guard let address else { throw ValidationError("--address is missing, or --reference") }
            guard (0...65_535).contains(address) else {
                throw ValidationError("--address \(address): is not an address (0-65535)")
            }
            return (table, address)
        }

        private func valueType(_ table: DataTable) throws -> ValueType {
            guard let type else { return table.holdsBits ? .bool : .uint16 }
            guard let known = ValueType(type) else {
                throw ValidationError("--type \(type): is not one of \(ValueType.names.joined(separator: ", "))")
            }
            return known
        }

        private func number(_ text: String?, _ option: String) throws -> DecimalNumber? {
            guard let text else { return nil }
            guard let number = DecimalNumber(text) else { throw ValidationError("\(option) \(text): is not a number") }
            return number
        }
    }
}

extension DataTable: ExpressibleByArgument {}
extension ByteOrder: ExpressibleByArgument {
    public init?(argument: String) { self.init(rawValue: argument.uppercased()) }
}
