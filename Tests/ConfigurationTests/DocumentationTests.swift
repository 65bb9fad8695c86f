import Testing

@testable import Configuration

/// docs/configuration.md is the reference: it names every key that there is, once, and no other.
@Suite struct DocumentationTests {
    static let page = ExampleFilesTests.directory + "/../docs/configuration.md"

    @Test func referenceNamesEveryKey() throws {
        let documented = try Self.documentedKeys()

        let keys = KeyCollector.keys(of: Settings.self)

        #expect(keys.subtracting(documented).sorted() == [], "missing in the page")
        #expect(Set(documented).subtracting(keys).sorted() == [], "not a key")
        #expect(documented.count == Set(documented).count, "a key stands there twice")
    }

    /// The first cells of the page's tables.
    private static func documentedKeys() throws -> [String] {
        let text = String(decoding: try TextFile.read(page), as: UTF8.self)
        return text.split(separator: "\n").filter { $0.hasPrefix("| `") }.compactMap { row in
            row.dropFirst(3).split(separator: "`", maxSplits: 1).first.map(String.init)
        }
    }
}

/// Gathers the paths of all keys, arrays of tables without indexes: `uplink.route.batch.bytes`.
private struct KeyCollector: Fields {
    private(set) var keys: Set<String> = []

    static func keys<T: SettingsTable>(of table: T.Type) -> Set<String> {
        var collector = KeyCollector()
        var settings = T()
        settings.visit(&collector)
        return collector.keys
    }

    mutating func value<V>(_ key: String, _ value: inout V, _ kind: Kind<V>) { keys.insert(key) }

    mutating func table<T: SettingsTable>(_ key: String, _ table: inout T) {
        for inner in Self.keys(of: T.self) { keys.insert("\(key).\(inner)") }
    }

    mutating func tables<T: SettingsTable>(_ key: String, _ tables: inout [T]) {
        for inner in Self.keys(of: T.self) { keys.insert("\(key).\(inner)") }
    }

    mutating func limits(_ key: String, _ limits: inout LimitOverrides) { keys.insert(key) }

    mutating func rest(_ rest: inout TOMLTable) {}
}
