import JSON
import Modbus

/// A unit that answers, and what it lets be read.
struct ScannedUnit {
    let unit: Int
    private var identification = Identification()
    /// What of each table can be read, with the values.
    private var runs: [(table: DataTable, start: Int, values: [String])] = []

    /// Whether anybody is there: an exception is an answer too, but for a gateway's that nobody is.
    static func answers(_ unit: Int, _ session: ModbusSession) throws -> Bool {
        switch try session.ask(.read(.holding, address: 0, count: 1), unit: unit, tries: 1) {
        case .success: true
        case .failure(.exception(.gatewayPathUnavailable)): false
        case .failure(.exception(.gatewayTargetDeviceFailedToRespond)): false
        case .failure(.exception): true
        case .failure: false
        }
    }

    init(_ unit: Int, _ ranges: [ClosedRange<Int>], _ session: ModbusSession) throws {
        self.unit = unit
        try identify(session)
        for table in DataTable.allCases {
            for range in ranges {
                for start in stride(from: range.lowerBound, through: range.upperBound, by: 100) {
                    let last = min(start + 99, range.upperBound)
                    guard try explore(table, start..<last + 1, session) else { break }
                }
            }
        }
    }

    private mutating func identify(_ session: ModbusSession) throws {
        var object: UInt8 = 0
        while case .success(.identification(let part)) = try session.ask(
            .identification(.regular, object: object), unit: unit, tries: 1)
        {
            identification.objects.merge(part.objects) { $1 }
            guard let next = part.next, next > object else { return }
            object = next
        }
    }

    /// Reads what it can of these places, in halves where they are refused. False: the device doesn't have the table.
    private mutating func explore(_ table: DataTable, _ places: Range<Int>, _ session: ModbusSession) throws -> Bool {
        let request = Request.read(table, address: UInt16(places.lowerBound), count: places.count)
        switch try session.ask(request, unit: unit) {
        case .success(.data(let data)):
            let values = places.map { place -> String in
                let offset = place - places.lowerBound
                if table.holdsBits { return data[offset / 8] >> UInt8(offset % 8) & 1 == 1 ? "true" : "false" }
                return "\(UInt16(data[2 * offset]) << 8 | UInt16(data[2 * offset + 1]))"
            }
            if let last = runs.indices.last, runs[last].table == table,
                runs[last].start + runs[last].values.count == places.lowerBound
            {
                runs[last].values += values
            } else {
                runs.append((table, places.lowerBound, values))
            }
            return true
        case .failure(.exception(.illegalDataAddress)), .failure(.exception(.illegalDataValue)):
            guard places.count > 1 else { return true }
            let middle = places.lowerBound + places.count / 2
            return try explore(table, places.lowerBound..<middle, session)
                && explore(table, middle..<places.upperBound, session)
        case .success, .failure: return false
        }
    }

    // MARK: - Saying it

    func write(into json: inout JSONWriter) {
        json.object { json in
            json.member("unit", unit)
            if !identification.objects.isEmpty {
                json.object("identification") { json in
                    for (object, name) in Identification.names {
                        if let text = identification.objects[object] { json.member(name, text) }
                    }
                }
            }
            json.array("readable") { json in
                for run in runs {
                    json.object { json in
                        json.member("table", run.table.rawValue)
                        json.member("first", run.start)
                        json.member("last", run.start + run.values.count - 1)
                    }
                }
            }
        }
    }

    func toml(pointsPerTable: Int) -> String {
        var lines = ["[[module.connection.device]]"]
        if !identification.summary.isEmpty { lines[0] += "   # \(identification.summary.printable)" }
        lines += ["name = \"unit-\(unit)\"", "unit = \(unit)"]
        for table in DataTable.allCases {
            let own = runs.filter { $0.table == table }
            let spans = own.map {
                $0.values.count == 1 ? "\($0.start)" : "\($0.start)-\($0.start + $0.values.count - 1)"
            }
            lines.append("# \(table): " + (spans.isEmpty ? "nothing" : spans.joined(separator: ", ")))
            for (address, value) in own.flatMap({ run in
                run.values.enumerated().map { (run.start + $0.offset, $0.element) }
            }).prefix(pointsPerTable) {
                lines += [
                    "[[module.connection.device.point]]", "name = \"\(table)-\(address)\"", "table = \"\(table)\"",
                    "address = \(address)   # \(value)",
                ]
            }
        }
        return lines.joined(separator: "\n")
    }
}
