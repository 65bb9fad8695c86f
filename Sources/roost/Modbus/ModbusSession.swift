import EventLoop
import Glibc
import Modbus

/// A line that is asked one thing after the other, waiting for each answer.
final class ModbusSession: LineDelegate {
    let line: Line
    private let loop: EventLoop
    private let network: SocketNetwork
    private var problem: String?

    /// Connects; throws what a person needs to know.
    init(_ address: ConnectionAddress, timeout: Duration) throws {
        do throws(SystemError) {
            loop = try EventLoop()
        } catch {
            throw Failure.cannotConnect("\(error)")
        }
        network = SocketNetwork(loop: loop)
        var options = Line.Options()
        options.timeout = timeout
        options.reconnects = false
        // Who looks for units meets many that aren't there.
        options.deadAfter = .seconds(86400)
        line = Line(loop: loop, network: network, address: address, options: options)
        line.delegate = self
        line.open()
        while !line.isConnected, problem == nil { loop.tick() }
        if let problem { throw Failure.cannotConnect(problem) }
    }

    deinit { line.close() }

    /// - Parameter tries: in all, where nothing is answered.
    func ask(_ request: Request, unit: Int, tries: Int = 2) throws -> Result<Response, ModbusError> {
        var answer: Result<Response, ModbusError>?
        for _ in 0..<max(1, tries) {
            // A late answer to another question could pass for this one's.
            while problem == nil, let until = line.hold(request, unit: UInt8(clamping: unit)) {
                loop.tick(wait: max(.zero, until - loop.clock.now))
            }
            if let problem { throw Failure.cannotConnect(problem) }
            answer = nil
            line.ask(request, unit: UInt8(clamping: unit)) { answer = $0 }
            while answer == nil { loop.tick() }
            switch answer {
            case .failure(.timedOut), .failure(.corrupt), .failure(.malformed): continue
            case .failure(.connectionLost(let text)), .failure(.notConnected(let text)):
                throw Failure.cannotConnect(text)
            default: return answer ?? .failure(.timedOut)
            }
        }
        return answer ?? .failure(.timedOut)
    }

    func lineDidConnect(_ line: Line) {}

    func line(_ line: Line, didClose reason: String) { problem = reason }

    func lineIsFree(_ line: Line) {}
}
