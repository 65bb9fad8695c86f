import Testing

@testable import Configuration

/// What a module finds in its own part of the table is reported where it stands.
@Suite struct OwnKeyTests {
    private static let text = """
        [[module]]
        name = "a"
        program = "p"
        [[module]]
        name = "b"
        program = "p"
        topic = "t"
        [[module.connection]]
        url = "x"
        device = [
            { unit = 1 },
            { unit = 300 },
        ]
        [module.limits]
        rate = 1
        """

    @Test(arguments: [
        ("module.1.topic", "roost.toml:7: module.topic: wrong"),
        ("module.1.connection.0.url", "roost.toml:9: module.connection.url: wrong"),
        ("module.1.connection.0.device.1.unit", "roost.toml:12: module.connection.device.unit: wrong"),
        ("module.1.connection.0.device.1.missing", "roost.toml:12: module.connection.device.missing: wrong"),
        ("module.1.connection.0.missing", "roost.toml:8: module.connection.missing: wrong"),
        ("module.1.limits.rate", "roost.toml:15: module.limits.rate: wrong"),
        ("module.1.missing.deeper", "roost.toml:4: module.missing.deeper: wrong"),
        ("module.1", "roost.toml:4: module: wrong"),
    ])
    func lines(path: String, message: String) {
        #expect {
            _ = try Settings.parse(Array(Self.text.utf8), file: "roost.toml") { _ in [(path: path, text: "wrong")] }
        } throws: { error in
            (error as? ConfigurationError)?.description == message
        }
    }

    @Test func anOverrideIsNamed() {
        #expect {
            _ = try Settings.parse(
                Array(Self.text.utf8), file: "roost.toml",
                overrides: [(key: "module.1.connection.0.device.1.unit", value: "400")]
            ) { _ in [(path: "module.1.connection.0.device.1.unit", text: "wrong")] }
        } throws: { error in
            (error as? ConfigurationError)?.description == "--set module.1.connection.0.device.1.unit: wrong"
        }
    }
}
