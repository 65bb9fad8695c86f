import CLinux
import EventLoop
import Glibc

/// A running child: its end is noticed by its pidfd, its output comes as lines. Ends with the thread that started it at the
/// latest, whatever becomes of that.
final class ChildProcess: DescriptorHandler {
    /// How to start one.
    struct Launch {
        /// A path.
        var program: String
        /// Behind the program's name.
        var arguments: [String] = []
        var environment: [String: String] = [:]
        /// All that there is on its standard input.
        var input: [UInt8] = []
        /// nil: as this process.
        var user: ModuleUser?
        /// 0: as this process has.
        var memoryBytes = 0
        var openFiles = 0
        /// What it has as its descriptor 3; negative: nothing.
        var connection: Int32 = -1
    }

    /// It could not be started.
    struct Failure: Error, CustomStringConvertible {
        let number: Int32
        /// The call that failed, or the setting's name.
        let call: String
        let program: String

        /// It is about the user that it should run as.
        var isOfUser: Bool { ["setgroups", "setgid", "setuid"].contains(call) }

        /// Trying again soon may help.
        var isPassing: Bool { [EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY].contains(number) }

        var description: String {
            switch call {
            case "exec": "\(program) cannot be run: \(errorText(number))"
            case "pidfd": "modules need Linux 5.2 or newer"
            case "setgroups", "setgid", "setuid": "cannot become its user: \(errorText(number)) (\(call))"
            default: "\(program) cannot be started: \(errorText(number)) (\(call))"
            }
        }
    }

    /// How it ended.
    enum Ending: Equatable, CustomStringConvertible {
        case exit(Int32)
        case signal(Int32)

        var description: String {
            switch self {
            case .exit(let code): "exit code \(code)"
            case .signal(let number): "ended by \(Self.names[number] ?? "signal \(number)")"
            }
        }

        private static let names: [Int32: String] = [
            SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGILL: "SIGILL", SIGABRT: "SIGABRT",
            SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGSEGV: "SIGSEGV", SIGPIPE: "SIGPIPE",
            SIGALRM: "SIGALRM", SIGTERM: "SIGTERM", SIGSYS: "SIGSYS",
        ]
    }

    let process: Int32
    private let loop: EventLoop
    private var pidfd: Int32
    private var watch = Watch.none
    let output: OutputLines
    let errors: OutputLines
    private var ended: ((Ending) -> Void)?

    /// - Parameters:
    ///   - output: takes each line of its standard output.
    ///   - errors: ... and of its standard error.
    ///   - ended: called once, when its lines have been taken; nothing of it is left then.
    init(
        _ launch: Launch, on loop: EventLoop, output: @escaping ([UInt8]) -> Void,
        errors: @escaping ([UInt8]) -> Void, ended: @escaping (Ending) -> Void
    ) throws(Failure) {
        func failure(_ call: String, _ number: Int32) -> Failure {
            Failure(number: number, call: call, program: launch.program)
        }
        self.loop = loop
        self.ended = ended
        let input = try Self.file(holding: launch.input, failure)
        let outputs = try Self.pipe(for: launch.user, failure)
        let outputEnd = Descriptor(outputs.write)
        self.output = try Self.lines(of: outputs.read, loop, output, failure)
        var started: Int32 = -1
        do throws(Failure) {
            let errorOutputs = try Self.pipe(for: launch.user, failure)
            let errorEnd = Descriptor(errorOutputs.write)
            self.errors = try Self.lines(of: errorOutputs.read, loop, errors, failure)
            do throws(Failure) {
                process = try Self.start(
                    launch, [input.number, outputEnd.number, errorEnd.number, launch.connection], &started, failure)
            } catch {
                self.errors.close()
                throw error
            }
            _ = consume errorEnd
        } catch {
            self.output.close()
            throw error
        }
        _ = consume outputEnd
        _ = consume input
        pidfd = started
        do throws(SystemError) {
            watch = try loop.watch(descriptor: pidfd, .read, handler: self)
        } catch {
            close(killing: true)
            throw failure(error.call, error.number)
        }
    }

    private static func file(
        holding bytes: [UInt8], _ failure: (String, Int32) -> Failure
    ) throws(Failure) -> Descriptor {
        let number = linux_memory_file("module")
        guard number >= 0 else { throw failure("memfd_create", errno) }
        let file = Descriptor(number)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(number, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write", errno) }
            rest = rest.dropFirst(count)
        }
        lseek(number, 0, SEEK_SET)
        return file
    }

    /// A user that opens /dev/stderr opens the pipe anew, so that it must be its own.
    private static func pipe(
        for user: ModuleUser?, _ failure: (String, Int32) -> Failure
    ) throws(Failure) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard linux_output_pipe(&ends) == 0 else { throw failure("pipe", errno) }
        if let user { _ = fchown(ends[1], user.user, user.group) }
        return (ends[0], ends[1])
    }

    private static func lines(
        of descriptor: Int32, _ loop: EventLoop, _ take: @escaping ([UInt8]) -> Void,
        _ failure: (String, Int32) -> Failure
    ) throws(Failure) -> OutputLines {
        do throws(SystemError) {
            return try OutputLines(loop: loop, descriptor: Descriptor(descriptor), take: take)
        } catch {
            throw failure(error.call, error.number)
        }
    }

    private static func start(
        _ launch: Launch, _ descriptors: [Int32], _ pidfd: inout Int32, _ failure: (String, Int32) -> Failure
    ) throws(Failure) -> Int32 {
        var child = linux_child()
        child.descriptors = (descriptors[0], descriptors[1], descriptors[2], descriptors[3])
        child.memory = UInt64(launch.memoryBytes)
        child.open_files = UInt64(launch.openFiles)
        let groups = launch.user?.groups ?? []
        if let user = launch.user {
            child.changes_user = true
            child.user = user.user
            child.group = user.group
            child.group_count = groups.count
        }
        var arguments = ([launch.program] + launch.arguments).map { strdup($0) } + [nil]
        var variables = launch.environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        let result = launch.program.withCString { program in
            groups.withUnsafeBufferPointer { groups in
                arguments.withUnsafeMutableBufferPointer { arguments in
                    variables.withUnsafeMutableBufferPointer { variables in
                        child.program = program
                        child.arguments = UnsafePointer(arguments.baseAddress)
                        child.environment = UnsafePointer(variables.baseAddress)
                        child.groups = groups.baseAddress
                        return linux_start_child(&child, &pidfd)
                    }
                }
            }
        }
        guard result >= 0 else {
            let number = errno
            throw failure(child.failed_call.map { String(cString: $0) } ?? "clone", number)
        }
        return result
    }

    // MARK: - Its end

    func descriptorIsReady(_ readiness: Readiness) { close(killing: false) }

    /// What it has started goes with it: its process group is its own, and keeps its number until it is waited for.
    private func close(killing: Bool) {
        guard pidfd >= 0 else { return }
        loop.unwatch(watch)
        watch = .none
        kill(-process, SIGKILL)
        let status = linux_reap_child(pidfd)
        Glibc.close(pidfd)
        pidfd = -1
        guard !killing else {
            output.close()
            errors.close()
            return
        }
        output.finish()
        errors.finish()
        let ended = ended
        self.ended = nil
        ended?(status >= 0 ? .exit(status) : .signal(-status))
    }

    /// To the process alone.
    func send(_ signal: Int32) { if pidfd >= 0 { _ = linux_signal_child(pidfd, signal) } }

    /// SIGKILL to it and all that it has started in its group.
    func killGroup() { if pidfd >= 0 { kill(-process, SIGKILL) } }

    deinit { close(killing: true) }
}
