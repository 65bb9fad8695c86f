import BlueZ
import Bluetooth
import Bridge
import Glibc

/// `roost-bluetooth` is run by roostd as a module; `scan` and `decode` are for people.
let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case "scan": exit(ScanCommand.run(Array(arguments.dropFirst())))
case "decode": exit(DecodeCommand.run(Array(arguments.dropFirst())))
case "--help", "-h", "help":
    BridgeOutput.say(Usage.text)
    exit(0)
default:
    let program = BridgeProgram<BluetoothSettings>(
        name: "roost-bluetooth", version: version, check: BluetoothChecks.check
    ) { settings, connection in
        BluetoothBridge(
            settings, keys: Keys.load(settings.keysFile), connection: connection,
            radio: BlueZ(
                loop: connection.loop, adapter: settings.adapter, connectTimeout: settings.connectTimeout))
    }
    exit(program.run(arguments))
}
