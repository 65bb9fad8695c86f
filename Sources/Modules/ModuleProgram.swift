import Glibc

/// Where a module's program is. What ships with Roost lies beside roostd, or in `../libexec/roost`; a path is taken as it is;
/// anything else is looked for in PATH, as a shell does.
enum ModuleProgram {
    struct Missing: Error, CustomStringConvertible {
        let description: String
    }

    static let builtIn = ["modbus", "bluetooth"]

    /// - Parameters:
    ///   - directory: roostd's own.
    ///   - path: PATH.
    static func find(_ program: String, beside directory: String, path: String) throws(Missing) -> String {
        let isBuiltIn = builtIn.contains(program)
        let name = isBuiltIn ? "roost-\(program)" : program
        guard !name.contains("/") else {
            if let problem = problem(name) { throw Missing(description: "\"\(program)\" \(problem)") }
            return name
        }
        let own = isBuiltIn ? [directory, "\(directory)/../libexec/roost"] : []
        var notExecutable: String?
        for folder in own + path.split(separator: ":").map(String.init) {
            let candidate = "\(folder)/\(name)"
            guard let problem = problem(candidate) else { return candidate }
            if access(candidate, F_OK) == 0 { notExecutable = notExecutable ?? "\(candidate) \(problem)" }
        }
        if let notExecutable { throw Missing(description: notExecutable) }
        let places = (own + ["PATH (\(path))"]).joined(separator: ", ")
        throw Missing(description: "\"\(program)\" is not found: there is no \(name) in \(places)")
    }

    private static func problem(_ path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return "cannot be run: \(errorText(errno))" }
        guard status.st_mode & S_IFMT == S_IFREG else { return "is not a program's file" }
        guard access(path, X_OK) == 0 else { return "is not executable (chmod +x \(path))" }
        return nil
    }

    /// The directory of this process's own program.
    static var ownDirectory: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        let path = String(decoding: buffer.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return String(path[..<slash])
    }
}
