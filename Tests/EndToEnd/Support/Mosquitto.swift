import EventLoop
import Glibc

/// A real mosquitto that keeps its state over SIGTERM.
final class Mosquitto: Daemon {
    let port: UInt16
    /// Of a listener for WebSocket; 0: there is none.
    let webSocketPort: UInt16
    private unowned let scenario: Scenario
    private let configuration: String
    private let name: String
    private(set) var child: Child?

    init(
        _ scenario: Scenario, name: String = "mosquitto", settings: String = "allow_anonymous true",
        speaksWebSocket: Bool = false
    ) throws {
        self.scenario = scenario
        self.name = name
        port = try Ports.free()
        webSocketPort = speaksWebSocket ? try Ports.free() : 0
        let data = try scenario.directory.make("\(name)-data")
        configuration = try scenario.directory.write(
            "\(name).conf",
            """
            listener \(port) 127.0.0.1
            \(speaksWebSocket ? "listener \(webSocketPort) 127.0.0.1\nprotocol websockets" : "")
            persistence true
            persistence_location \(data)/
            max_queued_messages 0
            max_inflight_messages 0
            log_dest stderr
            log_type error
            log_type warning
            log_type notice
            log_type information
            \(settings)
            \(Programs.isRoot ? "user root" : "")
            """)
        scenario.register(self)
    }

    var endpoint: Endpoint { .tcp(host: "127.0.0.1", port: port) }

    func start() throws {
        guard let program = Programs.mosquitto else { throw Failure("no mosquitto") }
        let child = try scenario.spawn(program, ["-c", configuration], name: name)
        self.child = child
        try scenario.wait("mosquitto to run") {
            guard child.isRunning else { throw scenario.failure("mosquitto did not start") }
            return child.errors.contains(" running")
        }
    }

    /// SIGTERM, upon which mosquitto saves its state.
    func stop() throws {
        guard let child else { return }
        child.send(SIGTERM)
        try scenario.finish(child)
    }

    var account: String { child?.account ?? "mosquitto, never started" }
}

extension Scenario {
    /// Runs mosquitto_pub to its end.
    func publish(_ arguments: [String], to port: UInt16) throws {
        try run(
            Programs.mosquittoPub ?? "mosquitto_pub", ["-h", "127.0.0.1", "-p", "\(port)"] + arguments, name: "pub")
    }

    /// Starts mosquitto_sub and waits until it is subscribed.
    func subscribe(_ arguments: [String], to port: UInt16, name: String = "sub") throws -> Child {
        // Line by line, or nothing is seen of it before it ends.
        let program = ["-oL", Programs.mosquittoSub ?? "mosquitto_sub", "-h", "127.0.0.1", "-p", "\(port)", "-d"]
        let child = try spawn("stdbuf", program + arguments, name: name)
        try wait("SUBACK for \(child.account)") {
            guard child.isRunning || child.output.contains("Subscribed") else {
                throw failure("ended: \(child.account)")
            }
            return child.output.contains("Subscribed")
        }
        return child
    }
}
