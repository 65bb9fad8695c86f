import Bridge
import Configuration
import Glibc
import Testing

@testable import Bluetooth

/// The example and the reference say what there is, all of it, and nothing else.
@Suite struct DocumentationTests {
    private static let package = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    @Test func theExampleIsAccepted() throws {
        let settings = try Settings.load(file: Self.package + "/conf/bluetooth.toml")
        #expect(settings.warnings.isEmpty)
        let module = try #require(settings.modules.first)
        #expect(module.program == "bluetooth")
        let table = try ModuleTable.read(BluetoothSettings.self, from: module.own, checking: BluetoothChecks.check)
        #expect(table.devices.map(\.label) == ["fridge", "lamp"])
    }

    @Test func theExampleAndTheReferenceNameEveryKey() throws {
        let keys = KeyCollector.keys(of: BluetoothSettings())
        let example = String(decoding: try contents("/conf/bluetooth.toml"), as: UTF8.self)
        let reference = String(decoding: try contents("/docs/bluetooth.md"), as: UTF8.self)
        let documented = reference.split(separator: "\n").filter { $0.hasPrefix("| `") }.compactMap { row in
            row.dropFirst(3).split(separator: "`", maxSplits: 1).first.map(String.init)
        }
        for key in keys {
            let last = key.split(separator: ".").last.map(String.init) ?? key
            #expect(example.contains("\(last) = ") || example.contains(".\(last)]]"), "\(key) in the example")
            #expect(documented.contains(key), "\(key) in the reference")
        }
    }

    private func contents(_ path: String) throws -> [UInt8] {
        let descriptor = open(Self.package + path, O_RDONLY | O_CLOEXEC)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(descriptor, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }
}

/// Gathers the paths of all keys: `device.characteristic.uuid`.
private struct KeyCollector: Fields {
    private(set) var keys: Set<String> = []

    static func keys(of table: some SettingsTable) -> Set<String> {
        var collector = KeyCollector()
        var table = table
        table.visit(&collector)
        return collector.keys
    }

    mutating func value<V>(_ key: String, _ value: inout V, _ kind: Kind<V>) { keys.insert(key) }

    mutating func table<T: SettingsTable>(_ key: String, _ table: inout T) {
        for inner in Self.keys(of: T()) { keys.insert("\(key).\(inner)") }
    }

    mutating func tables<T: SettingsTable>(_ key: String, _ tables: inout [T]) {
        for inner in Self.keys(of: T()) { keys.insert("\(key).\(inner)") }
    }

    mutating func limits(_ key: String, _ limits: inout LimitOverrides) {}
    mutating func rest(_ rest: inout TOMLTable) {}
}
