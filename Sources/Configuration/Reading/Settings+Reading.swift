import Glibc

extension Settings {
    /// Reads a configuration file, then puts `ROOST_` variables and after these `--set` options in the place of what it
    /// says. With `checkingFiles` all files that it names must be readable too.
    ///
    /// Throws all problems at once, those of the file in the order of its lines; a text that is not TOML is one problem.
    ///
    /// `inspecting` finds what only others can: in settings that are right in themselves, by the setting's path.
    public static func load(
        file: String, overrides: [(key: String, value: String)] = [], environment: [String: String] = [:],
        checkingFiles: Bool = false, inspecting: Inspection? = nil
    ) throws(ConfigurationError) -> Settings {
        try parse(
            try TextFile.read(file), file: file, overrides: overrides, environment: environment,
            checkingFiles: checkingFiles, inspecting: inspecting)
    }

    public typealias Inspection = (Settings) -> [(path: String, text: String)]

    /// As `load`, from the file's bytes; without any, the defaults with their overrides.
    public static func parse(
        _ bytes: [UInt8] = [], file: String = "", overrides: [(key: String, value: String)] = [],
        environment: [String: String] = [:], checkingFiles: Bool = false,
        inspecting: Inspection? = nil
    ) throws(ConfigurationError) -> Settings {
        var table: TOMLTable
        do throws(TOMLError) {
            table = try TOMLParser.parse(bytes)
        } catch {
            throw ConfigurationError([.init(source: file, line: error.line, message: error.message)])
        }
        let findings = Findings(file: file)
        let changes = Overrides(findings)
        changes.apply(environment: environment, to: &table)
        changes.apply(options: overrides, to: &table)
        var settings = Settings()
        FieldsReader.read(&settings, from: table, path: [], findings)
        settings.strangers = findings.strangers
        if settings.listeners.isEmpty { settings.listeners = [ListenerSettings()] }
        if settings.node.id.isEmpty { settings.node.id = hostName() }
        Checks(settings, findings).all()
        if checkingFiles { FileChecks(settings, findings).all() }
        try findings.finish()
        for (path, text) in inspecting?(settings.expanded()) ?? [] { findings.report(text, path: path) }
        try findings.finish()
        return settings
    }

    /// "node" if the host has no name.
    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "node" }
        let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.isEmpty ? "node" : text
    }
}

/// Reads a whole small file.
enum TextFile {
    static func read(_ path: String) throws(ConfigurationError) -> [UInt8] {
        func problem(_ code: Int32) -> ConfigurationError {
            ConfigurationError([.init(source: path, message: "cannot be read: \(String(cString: strerror(code)))")])
        }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw problem(errno) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count <= TOMLParser.maximumBytes {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw problem(errno) }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return bytes
    }
}
