import ArgumentParser
import JSON
import Modbus

extension ModbusCommand {
    struct Scan: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "scan",
            abstract: "Find the units of a line and what can be read of them.",
            discussion: """
                Asks every unit for one register, then each that answers for its identification
                and for what its four tables hold. It writes nothing. What it prints goes into
                roost.toml, under [[module]]; delete what you don't need, and name the rest.

                EXAMPLES
                  roost modbus scan tcp://192.0.2.7
                  roost modbus scan 'rtu:///dev/ttyUSB0?baud=9600' --units 1-32 > found.toml
                  roost modbus scan tcp://192.0.2.7 --units 1-247 --addresses 0-499
                """)
        @OptionGroup var target: Target

        @Option(help: ArgumentHelp("Which: 1-32 or 1,5,17 (default: 1-247; on tcp 1).", valueName: "list"))
        var units: NumberList?

        @Option(help: ArgumentHelp("Where to look in each table.", valueName: "list"))
        var addresses = NumberList(0...99)

        @Option(help: ArgumentHelp("Points printed for each table, at most.", valueName: "number"))
        var points = 16

        func validate() throws {
            if let units, let wrong = units.numbers.first(where: { !target.address.units.contains($0) }) {
                let known = target.address.units
                throw ValidationError("--units: \(wrong) is not a unit (\(known.lowerBound)-\(known.upperBound))")
            }
            if let wrong = addresses.numbers.first(where: { !(0...65_535).contains($0) }) {
                throw ValidationError("--addresses: \(wrong) is not an address (0-65535)")
            }
        }

        func run() throws {
            let session = try target.session(timeout: .milliseconds(300))
            let all = units?.numbers ?? (target.address.isRTU ? Array(1...247) : [1])
            let progress = StoreProgress("units")
            var found: [ScannedUnit] = []
            for (index, unit) in all.enumerated() {
                progress.show(index, of: all.count)
                guard try ScannedUnit.answers(unit, session) else { continue }
                progress.end()
                Terminal.complain("unit \(unit) answers")
                found.append(try ScannedUnit(unit, addresses.ranges, session))
            }
            progress.end()
            if target.json {
                var json = JSONWriter()
                json.array { json in for unit in found { unit.write(into: &json) } }
                Document.print(json.bytes)
            } else if !found.isEmpty {
                Terminal.say(toml(found))
            }
            guard !found.isEmpty else {
                throw Failure.refused(
                    "no unit answered at \(target.address). Is it the right \(target.address.isRTU ? "speed and parity" : "unit (--units 1-247)")?"
                )
            }
        }

        private func toml(_ found: [ScannedUnit]) -> String {
            let head = """
                [[module]]
                name = "modbus"
                program = "modbus"
                [[module.connection]]
                name = "line-1"
                url = "\(target.address)"
                """
            return ([head] + found.map { $0.toml(pointsPerTable: points) }).joined(separator: "\n")
        }
    }
}

/// "1-32" or "1,5,17", as it is typed.
struct NumberList: ExpressibleByArgument {
    let ranges: [ClosedRange<Int>]

    init(_ range: ClosedRange<Int>) { ranges = [range] }

    init?(argument: String) {
        var ranges: [ClosedRange<Int>] = []
        for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard ends.count <= 2, let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last,
                last <= 65_535
            else { return nil }
            ranges.append(first...last)
        }
        guard !ranges.isEmpty else { return nil }
        self.ranges = ranges
    }

    var numbers: [Int] { ranges.flatMap(Array.init) }

    var defaultValueDescription: String { ranges.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",") }
}
