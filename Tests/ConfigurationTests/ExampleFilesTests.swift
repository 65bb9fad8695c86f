import Testing

@testable import Configuration

/// The files in conf/ are what people start from.
@Suite struct ExampleFilesTests {
    static let directory = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/conf"

    static func text(_ name: String) throws -> String {
        String(decoding: try TextFile.read("\(directory)/\(name)"), as: UTF8.self)
    }

    @Test(arguments: [
        "roost.toml", "edge.toml", "cloud.toml", "counter.toml", "modbus.toml", "sync-a.toml", "sync-b.toml",
    ])
    func loadsWithoutAWarning(_ name: String) throws {
        #expect(try Settings.load(file: "\(Self.directory)/\(name)").warnings == [])
    }

    @Test func roostIsAllDefaults() throws {
        #expect(try settings(Self.text("roost.toml"), set: [("node.id", "n")]) == settings(""))
    }

    /// The commented examples are right, and name every key there is.
    @Test func roostNamesEveryKey() throws {
        var text = ""
        for line in try Self.text("roost.toml").split(separator: "\n", omittingEmptySubsequences: false) {
            let bare = line.drop { $0 == "#" || $0 == " " }
            let isExample =
                line.hasPrefix("# ") && (bare.hasPrefix("[") || bare.contains(" = ")) && !bare.hasPrefix("roostd ")
            text += (isExample ? String(bare) : String(line)) + "\n"
        }
        let example = try settings(text, set: [("node.id", "n")])
        #expect(example.uplinks.count == 1 && example.modules.count == 1 && example.access.users.count == 1)

        var defaults = Settings()
        defaults.uplinks = [UplinkSettings()]
        defaults.uplinks[0].routes = [RouteSettings()]
        defaults.uplinks[0].subscriptions = [SubscribeSettings()]
        defaults.modules = [ModuleSettings()]
        defaults.access.users = [UserSettings()]
        let all = Self.paths(try TOMLParser.parse(defaults.printed()))
        let named = Self.paths(try TOMLParser.parse(text))
        #expect(all.subtracting(named) == [])
    }

    @Test func edgeSendsWhatCloudReceives() throws {
        let edge = try Settings.load(file: "\(Self.directory)/edge.toml")
        let cloud = try Settings.load(file: "\(Self.directory)/cloud.toml")

        #expect(edge.uplinks[0].urls.map { "\($0.host):\($0.port)" } == cloud.listeners.map(\.bind.description))
        #expect(edge.uplinks[0].routes.allSatisfy { $0.mode == .batch })
        #expect(cloud.ingest.enabled)
        #expect(Topics.overlap(cloud.ingest.filter, edge.uplinks[0].batchPrefix + "/00/edge-1"))
    }

    @Test func theTwoThatExchangeTopicsSendToEachOther() throws {
        let nodes = try ["a", "b"].map { try Settings.load(file: "\(Self.directory)/sync-\($0).toml") }

        for (node, other) in [(nodes[0], nodes[1]), (nodes[1], nodes[0])] {
            #expect(node.uplinks[0].urls.map { "\($0.host):\($0.port)" } == other.listeners.map(\.bind.description))
            #expect(node.uplinks[0].routes.map(\.filter) == ["shared/#"])
            #expect(node.ingest.enabled && node.node.id != other.node.id && node.node.data != other.node.data)
        }
    }

    /// Dotted keys of all values, without indexes.
    private static func paths(_ table: TOMLTable, _ prefix: String = "") -> Set<String> {
        var result: Set<String> = []
        for entry in table.entries {
            switch entry.node.value {
            case .table(let inner): result.formUnion(paths(inner, "\(prefix)\(entry.key)."))
            case .array(let items):
                result.insert(prefix + entry.key)
                for case .table(let inner) in items.map(\.value) {
                    result.formUnion(paths(inner, "\(prefix)\(entry.key)."))
                }
            default: result.insert(prefix + entry.key)
            }
        }
        return result
    }
}
