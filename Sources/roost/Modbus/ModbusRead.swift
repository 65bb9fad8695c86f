import ArgumentParser
import Bridge
import JSON
import Modbus

extension ModbusCommand {
    struct Read: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "read",
            abstract: "Read values of a device.",
            discussion: """
                EXAMPLES
                  roost modbus read tcp://192.0.2.7 --table holding --address 0 --count 10
                  roost modbus read tcp://192.0.2.7 --reference 30001 --type float32
                """)
        @OptionGroup var target: Target
        @OptionGroup var place: Place

        @Option(help: "How many values of the type, one behind the other.")
        var count = 1

        func validate() throws {
            let point = try place.point()
            let size = point.places.count
            guard count >= 1, point.address + count * size <= 65_536 else {
                throw ValidationError("--count \(count): goes beyond address 65535")
            }
        }

        func run() throws {
            let session = try target.session()
            let first = try place.point()
            let size = first.places.count
            let most = max(1, first.table.largestRead / size)
            var values: [ReadValue] = []
            for start in stride(from: 0, to: count, by: most) {
                let points = (start..<min(count, start + most)).map { index -> Point in
                    var point = first
                    point.address += index * size
                    return point
                }
                let places = points[0].address..<points[points.count - 1].places.upperBound
                let request = Request.read(first.table, address: UInt16(places.lowerBound), count: places.count)
                switch try session.ask(request, unit: place.unit) {
                case .success(.data(let data)):
                    values += points.map { ReadValue($0, data, from: places.lowerBound) }
                case .success: throw Failure.refused("\(first.table.place(places.lowerBound)): no data in the answer")
                case .failure(let error):
                    throw Failure.refused("unit \(place.unit), \(first.table.place(places.lowerBound)): \(error)")
                }
            }
            if target.json { printJSON(values) } else { printTable(values) }
        }

        private func printTable(_ values: [ReadValue]) {
            var table = Table([("address", .right), ("value", .left), ("raw", .left)])
            for value in values {
                table.add([
                    .init("\(value.point.address)"), .init(value.text, value.error == nil ? nil : .red),
                    .init(value.hexadecimal, .dim),
                ])
            }
            Terminal.say(table.text)
        }

        private func printJSON(_ values: [ReadValue]) {
            var json = JSONWriter()
            json.array { json in
                for value in values {
                    json.object { json in
                        json.member("unit", place.unit)
                        json.member("table", value.point.table.rawValue)
                        json.member("address", value.point.address)
                        json.member("type", value.point.format.type.description)
                        json.member("value", value.value)
                        if let error = value.error { json.member("error", error) }
                        json.member("raw", value.hexadecimal)
                    }
                }
            }
            Document.print(json.bytes)
        }
    }
}

/// One value that was read, with the bytes that it was made of.
private struct ReadValue {
    let point: Point
    var value: Value?
    var error: String?
    let hexadecimal: String

    init(_ point: Point, _ data: [UInt8], from start: Int) {
        self.point = point
        do throws(ValueProblem) {
            value = try point.value(in: data, from: start)
        } catch {
            self.error = error.description
        }
        guard !point.table.holdsBits else {
            hexadecimal = value?.plain == "true" ? "1" : "0"
            return
        }
        let offset = 2 * (point.address - start)
        hexadecimal = stride(from: offset, to: offset + 2 * point.places.count, by: 2).map { index in
            let word = String(UInt16(data[index]) << 8 | UInt16(data[index + 1]), radix: 16)
            return String(repeating: "0", count: 4 - word.count) + word
        }.joined(separator: " ")
    }

    var text: String { value?.plain ?? error ?? "" }
}
