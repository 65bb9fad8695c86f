import Bridge
import Configuration

extension ModbusSettings {
    /// What may stand in `topic`.
    static let topicNames = ["connection", "device", "point", "node", "name"]

    /// Finds what is wrong between keys that are right in themselves.
    package func check(_ findings: Findings) {
        if connections.isEmpty, !findings.hasProblem(at: "connection") {
            findings.report("a modbus module needs at least one [[module.connection]]", path: "connection")
        }
        unique(connections.map(\.name), "connection", "another connection has this name", findings)
        for (index, connection) in connections.enumerated() {
            connection.check("connection.\(index)", findings)
        }
        checkTopics(findings)
        checkTwins(findings)
    }

    /// A twin has one device, and property names of its own alphabet (docs/twin.md).
    private func checkTwins(_ findings: Findings) {
        var seen: Set<String> = []
        for (index, connection) in connections.enumerated() {
            for (place, device) in connection.devices.enumerated() where device.twin && !device.name.isEmpty {
                let path = "connection.\(index).device.\(place)"
                if !seen.insert(device.name).inserted {
                    findings.report("another device has the twin \"\(device.name)\"", path: "\(path).twin")
                }
                for (number, point) in device.points.enumerated() where !point.name.isEmpty {
                    guard !Self.isProperty(point.name) else { continue }
                    findings.report(
                        "\"\(point.name)\" is not a property of a twin (a-z A-Z 0-9 - _ . , : @, at most 128)",
                        path: "\(path).point.\(number).name")
                }
            }
        }
    }

    private static func isProperty(_ name: String) -> Bool {
        name.utf8.count <= 128
            && name.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII
                    && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                        || "-_.,:@".unicodeScalars.contains(scalar))
            }
    }

    /// Two points with one topic could not be told apart.
    private func checkTopics(_ findings: Findings) {
        let template: TopicTemplate
        do throws(TopicTemplate.Problem) {
            template = try TopicTemplate(topic, names: Self.topicNames)
        } catch {
            return findings.report(error.message, path: "topic")
        }
        var seen: [String: String] = [:]
        for connection in connections {
            for device in connection.devices {
                for point in device.points where !point.name.isEmpty {
                    let names = ["connection": connection.name, "device": device.name, "point": point.name]
                    let place = "\(connection.name)/\(device.name)/\(point.name)"
                    guard let other = seen.updateValue(place, forKey: template.topic(names)), other != place else {
                        continue
                    }
                    return findings.report(
                        "gives \(other) and \(place) the same topic: {connection}, {device} or {point} is missing",
                        path: "topic")
                }
            }
        }
    }
}

private func unique(_ names: [String], _ array: String, _ message: String, _ findings: Findings) {
    var seen: Set<String> = []
    for (index, name) in names.enumerated() where !name.isEmpty && !seen.insert(name).inserted {
        findings.report("\"\(name)\": \(message)", path: "\(array).\(index).name")
    }
}

private func required(_ isMissing: Bool, _ path: String, _ findings: Findings) {
    if isMissing, !findings.hasProblem(at: path) { findings.report("is missing", path: path) }
}

extension ConnectionSettings {
    fileprivate func check(_ path: String, _ findings: Findings) {
        required(name.isEmpty, "\(path).name", findings)
        required(url == nil, "\(path).url", findings)
        if reconnect.min > reconnect.max { findings.report("min is longer than max", path: "\(path).reconnect.min") }
        if let url, url.isRTU, pipeline > 1 {
            findings.report("is for tcp: a serial line carries one request at a time", path: "\(path).pipeline")
        }
        unique(devices.map(\.name), "\(path).device", "another device of this connection has this name", findings)
        for (index, device) in devices.enumerated() {
            device.check("\(path).device.\(index)", url?.units ?? 0...255, findings)
        }
    }
}

extension DeviceSettings {
    fileprivate func check(_ path: String, _ units: ClosedRange<Int>, _ findings: Findings) {
        required(name.isEmpty, "\(path).name", findings)
        if !units.contains(unit) {
            findings.report(
                "\(unit) is not a unit (\(units.lowerBound)-\(units.upperBound))", path: "\(path).unit")
        }
        if backoff.min > backoff.max { findings.report("min is longer than max", path: "\(path).backoff.min") }
        unique(points.map(\.name), "\(path).point", "another point of this device has this name", findings)
        for (index, point) in points.enumerated() { point.check("\(path).point.\(index)", self, findings) }
        checkOverlaps(path, findings)
    }

    /// Registers in two points are most often an address that is off by one. Bits of one register are not.
    private func checkOverlaps(_ path: String, _ findings: Findings) {
        var last: [DataTable: (place: Int, places: Range<Int>)] = [:]
        var bits: [Int: String] = [:]
        let ordered = points.indices.filter { points[$0].start != nil && points[$0].place != nil }
            .sorted { (points[$0].start ?? 0, $0) < (points[$1].start ?? 0, $1) }
        for index in ordered {
            guard let table = points[index].place, let start = points[index].start else { continue }
            if case .bit(let bit) = points[index].valueType {
                let key = (start << 5 | bit) << 1 | (table == .input ? 1 : 0)
                if let other = bits.updateValue(points[index].name, forKey: key) {
                    findings.report("is the same bit as \(other)", path: "\(path).point.\(index).type")
                }
                continue
            }
            let size = table.holdsBits ? 1 : points[index].valueType.registers
            if let before = last[table], start < before.places.upperBound {
                findings.report(
                    "\(table.place(start)) belongs to \(points[before.place].name) already "
                        + "(\(before.places.lowerBound)-\(before.places.upperBound - 1))",
                    path: "\(path).point.\(index).\(points[index].reference == nil ? "address" : "reference")")
            }
            if start + size > last[table]?.places.upperBound ?? 0 { last[table] = (index, start..<start + size) }
        }
    }
}

extension PointSettings {
    fileprivate func check(_ path: String, _ device: DeviceSettings, _ findings: Findings) {
        required(name.isEmpty, "\(path).name", findings)
        checkPlace(path, findings)
        guard let place else { return }
        checkType(path, place, device, findings)
        if isWritable, !place.isWritable {
            findings.report("\(place) is read only; coil and holding can be written", path: "\(path).writable")
        }
        if let least, let most, least > most { findings.report("is above max", path: "\(path).min") }
        if deadband != nil, !valueType.isNumber || place.holdsBits {
            findings.report("is for numbers", path: "\(path).deadband")
        }
    }

    private func checkPlace(_ path: String, _ findings: Findings) {
        let hasProblem = findings.hasProblem(at: "\(path).address") || findings.hasProblem(at: "\(path).reference")
        switch (address, reference) {
        case (nil, nil) where !hasProblem:
            findings.report("is missing (address = 0, or reference = \"40001\")", path: "\(path).address")
        case (.some, .some): findings.report("is there with address; one of them is enough", path: "\(path).reference")
        default: break
        }
        if let reference, let table, reference.table != table {
            findings.report(
                "\"\(reference.text)\" is in table \(reference.table), not \(table)", path: "\(path).reference")
        }
        if place == nil, !hasProblem, !findings.hasProblem(at: "\(path).table") {
            findings.report("is missing (coil, discrete, input or holding)", path: "\(path).table")
        }
    }

    private func checkType(_ path: String, _ place: DataTable, _ device: DeviceSettings, _ findings: Findings) {
        let type = valueType
        if place.holdsBits, type != .bool {
            findings.report("a \(place) holds a bool, not \(type)", path: "\(path).type")
            return
        }
        if !place.holdsBits, type == .bool {
            findings.report("a register holds no bool; bit(0) is its lowest bit", path: "\(path).type")
            return
        }
        if let start, start + type.registers > 65_536 {
            findings.report("\(type) from \(start) on goes beyond 65535", path: "\(path).address")
        }
        if type.registers > device.maximumRegisters, !place.holdsBits {
            findings.report("\(type) is longer than max_registers (\(device.maximumRegisters))", path: "\(path).type")
        }
        if case .string = type, order?.swapsWords == true {
            findings.report("a text's registers have one order: ABCD, or BADC", path: "\(path).order")
        }
        if !type.isNumber {
            if scale != .one { findings.report("is for numbers, not \(type)", path: "\(path).scale") }
            if offset != .zero { findings.report("is for numbers, not \(type)", path: "\(path).offset") }
        }
        if scale == .zero { findings.report("may not be 0", path: "\(path).scale") }
        if !names.isEmpty { checkNames(path, type, findings) }
    }

    private func checkNames(_ path: String, _ type: ValueType, _ findings: Findings) {
        guard let range = type.wholeRange else {
            return findings.report("is for whole numbers, not \(type)", path: "\(path).enum")
        }
        if let number = names.keys.sorted().first(where: { !range.contains($0) }) {
            findings.report("\(number) is out of range (\(type))", path: "\(path).enum")
        }
    }
}
