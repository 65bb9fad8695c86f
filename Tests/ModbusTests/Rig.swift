import Bridge
import EventLoop
import Testing

@testable import Modbus

/// A line to simulated devices, on virtual time.
final class Rig: LineDelegate {
    let clock = VirtualClock()
    let loop: EventLoop
    let network: MemoryNetwork
    let server: SimulatedServer
    let device = SimulatedDevice()
    let address: ConnectionAddress
    private(set) var line: Line
    private(set) var closings: [String] = []

    init(
        _ framing: SimulatedServer.Framing = .tcp, units: [UInt8] = [1],
        _ adjust: (inout Line.Options) -> Void = { _ in }
    ) throws {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
        address = framing == .tcp ? .tcp(host: "plc", port: 502) : .rtuOverTCP(host: "plc", port: 502)
        var devices: [UInt8: SimulatedDevice] = [:]
        for unit in units { devices[unit] = unit == units[0] ? device : SimulatedDevice() }
        server = SimulatedServer(loop: loop, framing: framing, devices: devices)
        try server.listen(on: network, host: "plc", port: 502)
        var options = Line.Options()
        adjust(&options)
        line = Line(loop: loop, network: network, address: address, options: options)
        line.delegate = self
        for place in 0..<100 {
            device.holdings[place] = UInt16(1000 + place)
            device.inputs[place] = UInt16(2000 + place)
        }
    }

    deinit {
        line.close()
        loop.tearDown()
    }

    func open() {
        line.open()
        pass(.milliseconds(1))
    }

    func pass(_ duration: Duration) { clock.advance(by: duration, turning: loop) }

    /// Asks, and lets time pass until the answer.
    func ask(_ request: Request, unit: UInt8 = 1) -> Result<Response, ModbusError> {
        var answer: Result<Response, ModbusError>?
        line.ask(request, unit: unit) { answer = $0 }
        for _ in 0..<200 where answer == nil { pass(.milliseconds(10)) }
        return answer ?? .failure(.malformed("nothing came of it"))
    }

    /// The holding registers from there on, as the line brings them.
    func read(_ start: UInt16, _ count: Int) -> [Int]? {
        guard case .success(.data(let data)) = ask(.read(.holding, address: start, count: count)) else { return nil }
        return stride(from: 0, to: data.count, by: 2).map { Int(data[$0]) << 8 | Int(data[$0 + 1]) }
    }

    /// What a right answer to such a read is.
    func expected(_ start: Int, _ count: Int) -> [Int] { (start..<start + count).map { 1000 + $0 } }

    func lineDidConnect(_ line: Line) {}
    func line(_ line: Line, didClose reason: String) { closings.append(reason) }
    func lineIsFree(_ line: Line) {}
}

/// What a poller finds, kept.
final class Found: DevicePollerDelegate {
    private(set) var readings: [(name: String, outcome: Reading.Outcome, at: Instant)] = []
    private(set) var states: [(name: String, state: PolledDevice.State)] = []
    private(set) var problems: [String?] = []

    func poller(
        _ poller: DevicePoller, device: PolledDevice, didRead outcomes: [(point: Int, outcome: Reading.Outcome)]
    ) {
        for (point, outcome) in outcomes {
            let name = "\(device.options.name)/\(device.options.points[point].name)"
            readings.append((name, outcome, poller.loop.now))
        }
    }

    func poller(_ poller: DevicePoller, didChangeStateOf device: PolledDevice) {
        states.append((device.options.name, device.state))
    }

    func poller(_ poller: DevicePoller, connectionIs problem: String?) { problems.append(problem) }

    func last(_ name: String) -> Reading.Outcome? { readings.last { $0.name == name }?.outcome }

    func count(_ name: String) -> Int { readings.count { $0.name == name } }

    func forget() {
        readings = []
        states = []
    }
}
