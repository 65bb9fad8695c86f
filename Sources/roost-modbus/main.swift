import Bridge
import Glibc
import Modbus

// The Modbus bridge: roostd runs it for a `[[module]]` with `program = "modbus"` (docs/modbus.md).
let program = BridgeProgram<ModbusSettings>(
    name: "roost-modbus", version: "0.1.0", check: { $0.check($1) }, make: { ModbusBridge($0, $1) })
exit(program.run(Array(CommandLine.arguments.dropFirst())))
