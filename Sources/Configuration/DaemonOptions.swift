import Glibc

/// roostd's command line.
public struct DaemonOptions: Sendable, Equatable {
    /// What the daemon is asked to do.
    public enum Action: Sendable, Equatable {
        case run
        case check
        case printConfiguration
        case version
        case help
    }

    /// One `--set KEY=VALUE`.
    public struct Override: Sendable, Equatable {
        public var key: String
        public var value: String
    }

    /// What the command line says that it cannot mean; the message names the next step.
    public struct Failure: Error, Equatable, CustomStringConvertible {
        public var description: String
    }

    public var action = Action.run
    /// From `-c`; nil: the first that there is of `defaultFiles`.
    public var file: String?
    public var overrides: [Override] = []

    public static let defaultFiles = ["/etc/roost/roost.toml", "conf/roost.toml"]

    public static let usage = """
        Usage: roostd [-c FILE] [--check] [--print-config] [--set KEY=VALUE]... [--version]

          -c, --config FILE   the configuration (default: /etc/roost/roost.toml, then ./conf/roost.toml)
              --check         validate everything, say what is wrong, and exit with 0 or 1
              --print-config  print every setting in force, secrets masked
              --set KEY=VALUE put a setting in the place of the file's; may be repeated
              --version       print the version
          -h, --help          print this

        ROOST_ environment variables are settings too; --set comes before them, and they before the file.

        Examples:
          roostd -c conf/roost.toml
          roostd --set listener.0.bind=0.0.0.0:1883 --set store.budget=2GiB
          ROOST_STORE__BUDGET=2GiB roostd --print-config

        """

    public init() {}

    /// Reads the arguments behind the program's name.
    public init(_ arguments: some Sequence<String>) throws(Failure) {
        var rest = Array(arguments)[...]
        while let argument = rest.popFirst() {
            var (name, attached) = Self.split(argument)
            func value() throws(Failure) -> String {
                if let text = attached {
                    attached = nil
                    return text
                }
                guard let next = rest.popFirst() else { throw Failure(description: "\(name) needs a value") }
                return next
            }
            switch name {
            case "-c", "--config": file = try value()
            case "--set": overrides.append(try Self.override(try value()))
            case "--check": action = .check
            case "--print-config": action = .printConfiguration
            case "--version": action = .version
            case "-h", "--help": action = .help
            default: throw Self.unknown(argument)
            }
            if attached != nil { throw Failure(description: "\(name) takes no value") }
            // What only prints does so whatever else is there.
            if action == .version || action == .help { return }
        }
    }

    /// `--name=value` apart; `-cFILE` too.
    private static func split(_ argument: String) -> (name: String, value: String?) {
        if argument.hasPrefix("--"), let equals = argument.firstIndex(of: "=") {
            return (String(argument[..<equals]), String(argument[argument.index(after: equals)...]))
        }
        if argument.hasPrefix("-c"), argument.utf8.count > 2 {
            return ("-c", String(argument.dropFirst(2)))
        }
        return (argument, nil)
    }

    private static func override(_ text: String) throws(Failure) -> Override {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw Failure(description: "--set \(text): wants KEY=VALUE (--set store.budget=2GiB)")
        }
        return Override(key: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
    }

    private static func unknown(_ argument: String) -> Failure {
        let known = ["--config", "--check", "--print-config", "--set", "--version", "--help"]
        guard argument.hasPrefix("-") else {
            return Failure(description: "\(argument): roostd takes no arguments; a configuration is given with -c")
        }
        let near = Spelling.nearest(to: argument, in: known).map { "; did you mean \($0)?" } ?? "; see roostd --help"
        return Failure(description: "unknown option \(argument)\(near)")
    }

    /// The file to read: the one that was asked for, else the first default that there is, else nil: all defaults.
    public var configurationFile: String? {
        file ?? Self.defaultFiles.first { access($0, F_OK) == 0 }
    }

    /// The settings that this command line, its configuration file and the environment make together. A file that was
    /// asked for and is not there is an error; without any file the defaults hold.
    public func settings(
        environment: [String: String], checkingFiles: Bool = false, inspecting: Settings.Inspection? = nil
    ) throws(ConfigurationError) -> Settings {
        let changes = overrides.map { (key: $0.key, value: $0.value) }
        guard let path = configurationFile else {
            return try Settings.parse(
                file: "defaults", overrides: changes, environment: environment, checkingFiles: checkingFiles,
                inspecting: inspecting)
        }
        return try Settings.load(
            file: path, overrides: changes, environment: environment, checkingFiles: checkingFiles,
            inspecting: inspecting)
    }
}
