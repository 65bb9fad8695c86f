import Configuration
import EventLoop
import Glibc

/// Has each module's program look at its table (`PROGRAM ARGS... --check`), all of them at once, before any is started.
///
/// A program that knows no `--check` (it fails without a word, takes too long, crashes) is none the worse for it.
public final class ModuleChecks {
    /// What is wrong, by the setting's path: `module.1.connection.0.url`.
    public typealias Finding = (path: String, text: String)

    var patience = Duration.seconds(5)
    /// Findings of one module.
    private static let most = 100

    private let loop: EventLoop
    private let surroundings: ModuleSurroundings
    private var findings: [Int: [Finding]] = [:]
    private var children: [Int: ChildProcess] = [:]
    private var lines: [Int: [[UInt8]]] = [:]
    private var timer = Timer.none
    private var then: (([Finding]) -> Void)?

    public init(on loop: EventLoop, _ surroundings: ModuleSurroundings) {
        self.loop = loop
        self.surroundings = surroundings
    }

    /// On a loop of its own, until all are done.
    public static func run(_ modules: [ModuleSettings], _ surroundings: ModuleSurroundings) -> [Finding] {
        guard !modules.isEmpty, let loop = try? EventLoop() else { return [] }
        var result: [Finding]?
        let checks = ModuleChecks(on: loop, surroundings)
        checks.start(Array(modules.enumerated())) { result = $0 }
        while result == nil { loop.tick() }
        loop.tearDown()
        return result ?? []
    }

    /// Lives by itself until all are done.
    ///
    /// - Parameters:
    ///   - modules: with their places in the configuration.
    ///   - then: called once, at once or later; what is found is in the order of the modules.
    public func start(_ modules: [(offset: Int, element: ModuleSettings)], then: @escaping ([Finding]) -> Void) {
        self.then = then
        for (index, module) in modules { start(module, index) }
        timer = loop.schedule(after: patience) { [self] in
            for child in Array(children.values) { child.killGroup() }
        }
        finishIfDone()
    }

    private func start(_ module: ModuleSettings, _ index: Int) {
        do throws(ModuleLaunch.Problem) {
            var launch = try ModuleLaunch(checking: module, surroundings).launch
            launch.arguments.append("--check")
            do throws(ChildProcess.Failure) {
                children[index] = try ChildProcess(
                    launch, on: loop,
                    output: { [weak self] line in
                        guard let self, lines[index, default: []].count < Self.most else { return }
                        lines[index, default: []].append(line)
                    }, errors: { _ in },
                    ended: { [self] in ended(index, $0) })
            } catch {
                // Who may not become another user here is a person that looks at roostd's configuration.
                if error.isOfUser, error.number == EPERM, geteuid() != 0 { return }
                throw ModuleLaunch.Problem(key: error.isOfUser ? "user" : "program", text: "\(error)")
            }
        } catch {
            findings[index] = [(path: "module.\(index).\(error.key)", text: error.text)]
        }
    }

    private func ended(_ index: Int, _ ending: ChildProcess.Ending) {
        if ending == .exit(1) {
            findings[index] = lines[index, default: []].map { Self.finding($0, "module.\(index)") }
        }
        children[index] = nil
        finishIfDone()
    }

    private func finishIfDone() {
        guard children.isEmpty, let then else { return }
        self.then = nil
        loop.cancel(timer)
        then(findings.sorted { $0.key < $1.key }.flatMap(\.value))
    }

    /// `connection.0.device.2.unit: 300 is not a unit`; a line without a key is about the table.
    static func finding(_ line: [UInt8], _ table: String) -> Finding {
        let text = String(decoding: line, as: UTF8.self)
        guard let end = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return (table, text) }
        let key = text[..<end]
        let message = text[text.utf8.index(after: end)...].drop { $0 == " " }
        guard !key.isEmpty, !message.isEmpty, !key.contains(where: { $0 == " " || $0 == "\t" }) else {
            return (table, text)
        }
        return ("\(table).\(key)", String(message))
    }
}
