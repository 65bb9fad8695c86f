import EventLoop
import Glibc

/// pymodbus as a device, over TCP, RTU over TCP, or RTU on one end of a pair of terminals that socat joins.
final class ForeignDevice {
    let url: String
    private let scenario: Scenario
    private let kind: String
    private let place: String
    /// Where it serves: a port, or its end of the line.
    private let own: String
    private var process: Child?
    private var held: Descriptor?
    private var terminal: Int32 = -1

    init(_ kind: String, _ scenario: Scenario) throws {
        self.scenario = scenario
        self.kind = kind
        var own = "\(try Ports.free())"
        if kind == "rtu" {
            own = scenario.directory.path(of: "device")
            place = scenario.directory.path(of: "line")
            let words = ["pty,raw,echo=0,link=\(own)", "pty,raw,echo=0,link=\(place)"]
            _ = try scenario.spawn("socat", words, name: "socat")
            let (near, far) = (own, place)
            try scenario.wait("the pair of terminals") { access(near, F_OK) == 0 && access(far, F_OK) == 0 }
            url = "rtu://\(place)?baud=19200&parity=none&stop=1"
            // socat ends when nobody has its terminal open.
            terminal = open(place, O_RDWR | O_NOCTTY | O_CLOEXEC)
            held = Descriptor(terminal)
        } else {
            place = own
            url = kind == "tcp" ? "tcp://127.0.0.1:\(own)" : "rtu+tcp://127.0.0.1:\(own)"
        }
        self.own = own
        try start()
    }

    /// As at its first start: it remembers nothing.
    func start() throws {
        let script = Programs.package + "/Tests/EndToEnd/Scripts/modbus_server.py"
        let server = try scenario.spawn(Programs.pymodbus ?? "", [script, kind, own], name: "pymodbus")
        try scenario.wait("pymodbus") { server.output.contains("ready") }
        process = server
    }

    func kill() { process?.kill() }

    /// What mbpoll prints.
    ///
    /// - Parameter values: to write; without any, it reads.
    @discardableResult
    func mbpoll(_ words: [String], writing values: [String] = []) throws -> String {
        let target =
            kind == "tcp"
            ? ["-m", "tcp", "-p", place, "127.0.0.1"] : ["-m", "rtu", "-b", "19200", "-P", "none", place]
        if terminal >= 0 { tcflush(terminal, TCIFLUSH) }
        let child = try scenario.spawn("mbpoll", ["-a", "1", "-0", "-1"] + words + target + values, name: "mbpoll")
        try scenario.finish(child)
        return child.output
    }
}
