/// Everything that is wrong with a configuration, not only the first thing.
public struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// One thing that is wrong, and where.
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// The file, `--set KEY`, or the environment variable's name; empty for a default.
        public var source: String
        /// From 1; nil where `source` is no file.
        public var line: Int?
        /// The setting without indexes (`listener.bind`); empty where the message needs none.
        public var key: String
        public var message: String

        public init(source: String, line: Int? = nil, key: String = "", message: String) {
            self.source = source
            self.line = line
            self.key = key
            self.message = message
        }

        /// `roost.toml:14: listener.port: 70000 is not a port (1-65535)`
        public var description: String {
            let place = line.map { "\(source):\($0)" } ?? source
            return [place, key, message].filter { !$0.isEmpty }.joined(separator: ": ")
        }
    }

    /// In the order of the file's lines; never empty.
    public var problems: [Problem]

    public init(_ problems: [Problem]) {
        self.problems = problems
    }

    /// One problem a line.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// Where the problems of one reading are gathered, and where every key was found.
package final class Findings {
    let file: String
    private(set) var problems: [ConfigurationError.Problem] = []
    /// The origin of every key and table by its path with indexes: `uplink.0.route.1.filter`.
    var origins: [String: TOMLOrigin] = [:]
    /// Of variables that begin as settings' do, and are none.
    var strangers: [String] = []
    /// What was reported, by paths with indexes.
    private(set) var reports: [(path: String, message: String)] = []
    /// The paths that something was reported for.
    private var failed: Set<String> = []

    init(file: String) {
        self.file = file
    }

    /// `path` has indexes; the message leaves them out, since the line says which one.
    func report(_ message: String, at origin: TOMLOrigin?, path: [String]) {
        let key = path.filter { Int($0) == nil }.joined(separator: ".")
        let problem: ConfigurationError.Problem =
            switch origin {
            case .file(let line, _): .init(source: file, line: line, key: key, message: message)
            case .option(let name): .init(source: "--set \(name)", message: message)
            case .variable(let name): .init(source: name, message: message)
            case nil: .init(source: file, key: key, message: message)
            }
        failed.insert(path.joined(separator: "."))
        // A rule that holds between two keys may be found from either side.
        guard !problems.contains(problem) else { return }
        problems.append(problem)
        reports.append((path.joined(separator: "."), message))
    }

    /// Reports at a key, or at the nearest table around it that was given.
    package func report(_ message: String, path: String) {
        let parts = path.split(separator: ".").map(String.init)
        for count in stride(from: parts.count, to: 0, by: -1) {
            if let origin = origins[parts.prefix(count).joined(separator: ".")] {
                return report(message, at: origin, path: parts)
            }
        }
        report(message, at: nil, path: parts)
    }

    package func hasProblem(at path: String) -> Bool { failed.contains(path) }

    /// Throws when anything was reported.
    func finish() throws(ConfigurationError) {
        guard !problems.isEmpty else { return }
        let ordered = problems.enumerated().sorted { left, right in
            (left.element.line ?? .max, left.offset) < (right.element.line ?? .max, right.offset)
        }
        throw ConfigurationError(ordered.map(\.element))
    }
}
