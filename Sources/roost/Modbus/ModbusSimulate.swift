import ArgumentParser
import EventLoop
import Glibc
import Modbus

extension ModbusCommand {
    struct Simulate: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "simulate",
            abstract: "Be a Modbus TCP device, to try things out.",
            discussion: """
                A press with a temperature that moves, a counter, a set point and a lamp; the
                table for roost.toml is printed.

                EXAMPLE
                  roost modbus simulate --port 5020
                """)
        @Option(help: "Where to listen, on 127.0.0.1.")
        var port: UInt16 = 5020

        @Option(help: "The unit identifier.")
        var unit: UInt8 = 1

        func run() throws {
            do throws(SystemError) {
                try serve(try EventLoop())
            } catch {
                throw Failure.cannotConnect("\(error)")
            }
        }

        private func serve(_ loop: EventLoop) throws(SystemError) {
            let press = SimulatedDevice(places: 1000)
            press.remembersRequests = false
            press.identification = [0: "Roost", 1: "simulated-press", 2: "1"]
            press.holdings[0] = 215
            press.inputs[4] = 1
            let server = SimulatedServer(loop: loop, devices: [unit: press])
            let network = SocketNetwork(loop: loop)
            do throws(NetworkError) {
                try server.listen(on: network, host: "127.0.0.1", port: port)
            } catch {
                Terminal.complain("roost: \(error)")
                Glibc.exit(Failure.Code.cannotConnect.rawValue)
            }
            let signals = try SignalSource(loop: loop, signals: [SIGINT, SIGTERM]) { _ in loop.stop() }
            Terminal.say(table)
            Terminal.complain("A press answers at tcp://127.0.0.1:\(port), unit \(unit). Ctrl-C ends it.")
            move(press, loop, 0)
            loop.run()
            server.close()
            withExtendedLifetime((network, signals)) {}
        }

        private func move(_ press: SimulatedDevice, _ loop: EventLoop, _ step: Int) {
            var float = ValueFormat(.float32)
            float.order = .cdab
            let temperature = 20 + 5 * sin(Double(step) / 10)
            let rounded = DecimalNumber(Int128((temperature * 100).rounded()), places: 2)
            try? press.set(.input, 0, .number(rounded), float)
            try? press.set(.input, 2, .number(DecimalNumber(Int128(step))), ValueFormat(.uint32))
            press.discretes[0] = step % 20 < 10
            loop.schedule(after: .milliseconds(500)) { move(press, loop, step + 1) }
        }

        private var table: String {
            """
            [[module]]
            name = "line-b"
            program = "modbus"
            [[module.connection]]
            name = "plc"
            url = "tcp://127.0.0.1:\(port)"
            [[module.connection.device]]
            name = "press-7"
            unit = \(unit)
            interval = "1s"
            [[module.connection.device.point]]
            name = "temperature"
            table = "input"
            address = 0
            type = "float32"
            order = "CDAB"
            unit = "°C"
            deadband = 0.5
            [[module.connection.device.point]]
            name = "parts"
            table = "input"
            address = 2
            type = "uint32"
            [[module.connection.device.point]]
            name = "state"
            table = "input"
            address = 4
            enum = { 0 = "stopped", 1 = "running" }
            [[module.connection.device.point]]
            name = "setpoint"
            table = "holding"
            address = 0
            type = "int16"
            scale = 0.1
            unit = "°C"
            writable = true
            min = 5
            max = 60
            [[module.connection.device.point]]
            name = "guard"
            table = "discrete"
            address = 0
            [[module.connection.device.point]]
            name = "lamp"
            table = "coil"
            address = 3
            writable = true
            """
        }
    }
}
