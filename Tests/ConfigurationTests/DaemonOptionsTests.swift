import Testing

@testable import Configuration

@Suite struct DaemonOptionsTests {
    @Test func everyOption() throws {
        let options = try DaemonOptions(["-c", "a.toml", "--set", "a.b=c=d", "--set=log.level=debug", "--check"])

        #expect(options.file == "a.toml")
        #expect(options.overrides.map(\.key) == ["a.b", "log.level"])
        #expect(options.overrides.map(\.value) == ["c=d", "debug"])
        #expect(options.action == .check)
    }

    @Test(arguments: [
        ([], DaemonOptions.Action.run), (["--print-config"], .printConfiguration), (["--version"], .version),
        (["-h"], .help), (["--help", "--nonsense"], .help),
    ])
    func action(arguments: [String], expected: DaemonOptions.Action) throws {
        #expect(try DaemonOptions(arguments).action == expected)
    }

    @Test(arguments: [["-cb.toml"], ["--config", "b.toml"], ["--config=b.toml"]])
    func file(_ arguments: [String]) throws {
        #expect(try DaemonOptions(arguments).configurationFile == "b.toml")
    }

    @Test(arguments: [
        (["--chek"], "unknown option --chek; did you mean --check?"), (["-x"], "unknown option -x; see roostd --help"),
        (["-c"], "-c needs a value"), (["--set", "a"], "--set a: wants KEY=VALUE (--set store.budget=2GiB)"),
        (["--check=1"], "--check takes no value"),
        (["a.toml"], "a.toml: roostd takes no arguments; a configuration is given with -c"),
    ])
    func failure(arguments: [String], message: String) {
        #expect(throws: DaemonOptions.Failure(description: message)) { try DaemonOptions(arguments) }
    }

    @Test func fileThatWasAskedForMustBeThere() throws {
        let options = try DaemonOptions(["-c", "/nonexistent.toml"])
        #expect { try options.settings(environment: [:]) } throws: {
            "\($0)" == "/nonexistent.toml: cannot be read: No such file or directory"
        }
    }

    @Test func usageNamesEveryOption() {
        for option in ["-c", "--config", "--check", "--print-config", "--set", "--version", "--help"] {
            #expect(DaemonOptions.usage.contains(option))
        }
    }
}
