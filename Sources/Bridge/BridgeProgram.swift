import Client
import Configuration
import EventLoop
import Glibc

/// What carries values between some machines and the broker: one module's work, on the module's loop.
package protocol Bridge: AnyObject {
    /// The broker is there; called once.
    func start()

    /// Finishes the write under way, publishes what is due, and calls `then`; nothing may be begun any more.
    func stop(then: @escaping () -> Void)
}

/// The main program of a bridge that ships with Roost: it reads its table, checks it (`--check`), or connects to roostd over the
/// descriptor that it inherited and works until SIGTERM. Losing that connection ends it: roostd starts it again.
package struct BridgeProgram<Settings: SettingsTable> {
    /// "roost-modbus"
    package var name: String
    package var version: String
    /// Finds what is wrong between keys that are right in themselves.
    package var check: (Settings, Findings) -> Void
    package var make: (Settings, BridgeConnection) -> any Bridge

    package init(
        name: String, version: String, check: @escaping (Settings, Findings) -> Void,
        make: @escaping (Settings, BridgeConnection) -> any Bridge
    ) {
        self.name = name
        self.version = version
        self.check = check
        self.make = make
    }

    /// - Parameter arguments: without the program's name.
    /// - Returns: the exit code: 0 asked to stop, or a good table; 1 a bad one, or the connection to roostd is lost.
    package func run(_ arguments: [String]) -> Int32 {
        if arguments.contains("--version") {
            BridgeOutput.say("\(name) \(version)")
            return 0
        }
        let isCheck = arguments.contains("--check")
        let input: ModuleInput
        let settings: Settings
        do throws(ModuleInput.Unusable) {
            input = try ModuleInput.take()
        } catch {
            BridgeOutput.log(.error, error.message)
            return 1
        }
        do throws(ModuleTable.Problems) {
            settings = try ModuleTable.read(Settings.self, from: input.table, checking: check)
        } catch {
            for (path, message) in error.list {
                if isCheck {
                    BridgeOutput.say("\(path): \(message)")
                } else {
                    BridgeOutput.log(.error, "\(path): \(message)")
                }
            }
            return 1
        }
        return isCheck ? 0 : serve(settings, input)
    }

    private func serve(_ settings: Settings, _ input: ModuleInput) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        do throws(SystemError) {
            let loop = try EventLoop()
            let network = SocketNetwork(loop: loop)
            let connection = BridgeConnection(loop: loop, network: network, module: input.module, node: input.node)
            let bridge = make(settings, connection)
            var exitCode: Int32 = 0
            var isStopping = false
            let signals = try SignalSource(loop: loop, signals: [SIGTERM, SIGINT]) { _ in
                guard !isStopping else { return }
                isStopping = true
                bridge.stop { connection.stop { loop.stop() } }
            }
            connection.onConnect = { bridge.start() }
            connection.onLost = { reason in
                if !isStopping {
                    BridgeOutput.log(.error, "the connection to roostd is lost: \(reason)")
                    exitCode = 1
                }
                loop.stop()
            }
            connection.open(descriptor: Descriptor(3))
            loop.run()
            withExtendedLifetime((bridge, signals)) {}
            return exitCode
        } catch {
            BridgeOutput.log(.error, "\(error)")
            return 1
        }
    }
}
