import ArgumentParser
import Configuration
import Testing

@testable import roost

@Suite struct IngestConfigurationTests {
    @Test func theConfigurationLoads() throws {
        let words = [
            "--url", "mqtt://broker:1883", "--username", "u\"x", "--password-file", "/etc/p", "--shards", "3e-41",
            "--topic", "{node}/{topic}", "--state", "/var/lib/roost/i",
        ]
        let command = try IngestCommand.parse(words)
        let text = try command.configuration().text

        let settings = try Settings.parse(Array(text.utf8), file: "roost.toml")

        #expect(settings.ingest.enabled)
        #expect(settings.ingest.topic == "{node}/{topic}")
        let uplink = try #require(settings.uplinks.first)
        #expect(uplink.clientID == "roost-ingest-3e-41")
        #expect(uplink.username == "u\"x")
        #expect(uplink.subscriptions.map(\.filter) == ["3e", "3f", "40", "41"].map { "roost/batch/\($0)/+" })
        #expect(uplink.routes.map(\.filter) == ["#"])
        #expect(uplink.routes.map(\.mode) == [.each])
    }

    @Test(arguments: [([], 1), (["--qos", "1"], 1), (["--qos", "2"], 2)])
    func qosIsTheRoutes(words: [String], qos: Int) throws {
        let command = try IngestCommand.parse(["--url", "mqtt://b"] + words)

        let settings = try Settings.parse(Array(command.configuration().text.utf8), file: "roost.toml")

        #expect(settings.uplinks.first?.routes.map(\.qos) == [qos])
    }

    @Test(arguments: [
        ([], "roost/batch/#"), (["--share", "g"], "$share/g/roost/batch/#"), (["--shards", "00-ff"], "roost/batch/#"),
        (["--shards", "0A"], "roost/batch/0a/+"),
    ])
    func filters(words: [String], filter: String) throws {
        let command = try IngestCommand.parse(["--url", "mqtt://b"] + words)

        #expect(try command.configuration().filters == [filter])
    }

    @Test(arguments: [
        ["--shards", "5"], ["--shards", "41-40"], ["--shards", "-"], ["--share", "a/b"],
        ["--qos", "0"], ["--qos", "3"], ["--qos", "2", "--share", "g"],
    ])
    func mistakesAreNamed(words: [String]) {
        #expect(throws: (any Error).self) { try IngestCommand.parse(["--url", "mqtt://b"] + words) }
    }
}
