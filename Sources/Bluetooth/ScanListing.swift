import Bridge
import EventLoop

/// What a scan has heard, as a table for people and as a table of the configuration.
package struct ScanListing {
    private struct Row {
        var name: String?
        var rssi: Int?
        var formats: [String] = []
        var values: [(name: String, text: String)] = []
        var failure: DecodingFailure?
        var count = 0
        var last: Instant
    }

    private var rows: [DeviceAddress: Row] = [:]

    /// Devices shown; beyond it none are added.
    private static let most = 500

    package init() {}

    package mutating func add(
        _ advertisement: Advertisement, _ decoded: [Decoded], _ failure: DecodingFailure?, at now: Instant
    ) {
        guard rows.count < Self.most || rows[advertisement.address] != nil else { return }
        var row = rows[advertisement.address] ?? Row(last: now)
        row.name = advertisement.name ?? row.name
        row.rssi = advertisement.rssi ?? row.rssi
        row.count += 1
        row.last = now
        row.failure = failure
        for item in decoded {
            if !row.formats.contains(item.format.rawValue) { row.formats.append(item.format.rawValue) }
            for measurement in item.measurements.prefix(16) {
                let unit = measurement.unit.isEmpty ? "" : " \(measurement.unit)"
                let text = String(measurement.value.plain.prefix(40)) + unit
                if let place = row.values.firstIndex(where: { $0.name == measurement.name }) {
                    row.values[place].text = text
                } else if row.values.count < 32 {
                    row.values.append((measurement.name, text))
                }
            }
        }
        rows[advertisement.address] = row
    }

    /// Aligned columns, the nearest device first.
    package func text(now: Instant) -> String {
        var lines = [["ADDRESS", "NAME", "RSSI", "FORMAT", "HEARD", "VALUES"]]
        let ordered = rows.sorted { ($1.value.rssi ?? -999, $0.key) < ($0.value.rssi ?? -999, $1.key) }
        for (address, row) in ordered {
            var values = row.values.map { "\($0.name) \($0.text)" }.joined(separator: ", ")
            if let failure = row.failure { values += values.isEmpty ? Self.words(failure) : "; \(Self.words(failure))" }
            lines.append([
                address.description, Self.printable(row.name ?? "-"), row.rssi.map { "\($0)" } ?? "-",
                row.formats.isEmpty ? "-" : row.formats.joined(separator: " "), "\(row.count)", Self.printable(values),
            ])
        }
        let widths = (0..<5).map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { cells in
            let padded = (0..<5).map { cells[$0] + String(repeating: " ", count: widths[$0] - cells[$0].count) }
            return (padded + [cells[5]]).joined(separator: "  ")
        }.joined(separator: "\n")
    }

    /// The `[[module]]` to paste into roost.toml.
    package func configuration(adapter: String) -> String {
        var lines = ["[[module]]", "name = \"ble\"", "program = \"bluetooth\"", "adapter = \"\(adapter)\""]
        let ordered = rows.sorted { $0.key < $1.key }
        let encrypted = ordered.filter { $0.value.failure == .keyMissing }
        if !encrypted.isEmpty {
            lines.append("keys_file = \"/etc/roost/bluetooth.keys\"   # a line each, \"ADDRESS HEXKEY\":")
            lines += encrypted.map { "                                           # \($0.key)" }
        }
        var names: Set<String> = []
        for (address, row) in ordered {
            lines += ["", "[[module.device]]", "address = \"\(address)\""]
            if let name = Self.level(row.name), names.insert(name).inserted { lines.append("name = \"\(name)\"") }
        }
        return lines.joined(separator: "\n")
    }

    /// A device's name as one level of a topic; nil: nothing is left of it.
    private static func level(_ name: String?) -> String? {
        let letters = (name ?? "").unicodeScalars.map { scalar in
            let isFit = scalar.properties.isAlphabetic || "0123456789-_.".unicodeScalars.contains(scalar)
            return isFit ? Character(scalar) : "-"
        }
        let level = String(letters)
        return level.allSatisfy { $0 == "-" } ? nil : level
    }

    private static func words(_ failure: DecodingFailure) -> String {
        switch failure {
        case .unknownFormat, .repeated: ""
        case .malformed: "not well formed"
        case .keyMissing: "encrypted: needs a key"
        case .keyWrong: "encrypted: the key is another one"
        case .replayed: "an old message, sent again"
        case .notEncrypted: "not encrypted, though it has a key"
        }
    }

    /// Names are whatever somebody sent; a terminal must not obey them.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "\u{B7}" : $0 }))
    }
}
