import Configuration
import Glibc

/// What modules find around them.
public struct ModuleSurroundings: Sendable {
    /// The node's id.
    public var node: String
    /// The data directory.
    public var data: String
    /// roostd's own directory.
    var directory = ModuleProgram.ownDirectory
    /// Variables that every module gets as roostd has them.
    var inherited: [String: String]

    public init(node: String, data: String) {
        self.node = node
        self.data = data
        inherited = [:]
        for name in ["PATH", "HOME", "LANG", "TZ"] {
            if let value = getenv(name) { inherited[name] = String(cString: value) }
        }
        if inherited["PATH"] == nil { inherited["PATH"] = "/usr/local/bin:/usr/bin:/bin" }
    }
}

/// A module's process as its settings have it: for a start and for a check alike.
struct ModuleLaunch {
    /// A setting that can't be used, by its key.
    struct Problem: Error {
        let key: String
        let text: String
    }

    let launch: ChildProcess.Launch

    init(_ settings: ModuleSettings, _ surroundings: ModuleSurroundings) throws(ModuleFailure) {
        do throws(Problem) {
            try self.init(checking: settings, surroundings)
        } catch {
            throw ModuleFailure(error.text)
        }
    }

    init(checking settings: ModuleSettings, _ surroundings: ModuleSurroundings) throws(Problem) {
        var environment = surroundings.inherited
        let user: ModuleUser?
        do throws(ModuleUser.Unknown) {
            user = try ModuleUser.find(settings.user)
        } catch {
            throw Problem(key: "user", text: "\(error)")
        }
        if let user { environment["HOME"] = user.home }
        environment.merge(settings.environment) { $1 }
        environment["ROOST_MODULE"] = settings.name
        environment["ROOST_NODE"] = surroundings.node
        let program: String
        do throws(ModuleProgram.Missing) {
            program = try ModuleProgram.find(
                settings.program, beside: surroundings.directory, path: environment["PATH"] ?? "")
        } catch {
            throw Problem(key: "program", text: "\(error)")
        }
        var launch = ChildProcess.Launch(program: program)
        launch.arguments = settings.args
        launch.environment = environment
        launch.input = jsonDocument(settings.own)
        launch.user = user
        launch.memoryBytes = settings.memoryBytes ?? 0
        launch.openFiles = settings.openFiles
        self.launch = launch
    }
}
