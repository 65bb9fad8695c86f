import Configuration
import Glibc

// roostd: the daemon. Reads its settings, puts itself together, and serves until it is told to stop.

func printError(_ text: String) {
    var line = "roostd: \(text)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

func environment() -> [String: String] {
    var result: [String: String] = [:]
    var entry = environ
    while let pointer = entry.pointee {
        let pair = String(cString: pointer)
        if let equals = pair.firstIndex(of: "=") {
            result[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
        }
        entry += 1
    }
    return result
}

func main() -> Int32 {
    let options: DaemonOptions
    do throws(DaemonOptions.Failure) {
        options = try DaemonOptions(CommandLine.arguments.dropFirst())
    } catch {
        printError(error.description)
        return 1
    }
    switch options.action {
    case .help:
        print(DaemonOptions.usage, terminator: "")
        return 0
    case .version:
        print("roostd \(Version.text)")
        return 0
    case .run, .check, .printConfiguration:
        return start(options)
    }
}

func start(_ options: DaemonOptions) -> Int32 {
    let settings: Settings
    do throws(ConfigurationError) {
        let isCheck = options.action == .check
        settings = try options.settings(environment: environment(), checkingFiles: isCheck) { settings in
            let tls = settings.inspectTLS()
            let access = settings.inspectAccess()
            let modules = options.action == .printConfiguration ? [] : settings.inspectModules()
            for (path, text) in access.warnings { printError("warning: \(path): \(text)") }
            guard !isCheck else { return tls.problems + tls.warnings + access.problems + modules }
            for (path, text) in tls.warnings { printError("warning: \(path): \(text)") }
            return tls.problems + access.problems + modules
        }
    } catch {
        for problem in error.problems { printError(problem.description) }
        return 1
    }
    let warnings = settings.warnings + settings.shadowedRoutes + settings.withoutEffect
    for warning in warnings { printError("warning: \(warning)") }
    switch options.action {
    case .check:
        print("\(options.configurationFile ?? "defaults"): fine")
        return 0
    case .printConfiguration:
        print(settings.printed(), terminator: "")
        return 0
    default:
        break
    }
    signal(SIGPIPE, SIG_IGN)
    // A file at its size limit (ulimit -f, LimitFSIZE=) is a full disk, and no reason to die.
    signal(SIGXFSZ, SIG_IGN)
    do throws(Daemon.Failure) {
        return try Daemon(settings.expanded()) { (inspecting) throws(ConfigurationError) in
            try options.settings(environment: environment(), inspecting: inspecting).expanded()
        }.run()
    } catch {
        printError(error.message)
        return error.exitCode
    }
}

exit(main())
