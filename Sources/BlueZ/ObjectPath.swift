import Bluetooth
import Glibc

/// The paths that BlueZ gives to its objects: /org/bluez/hci0/dev_A4_C1_38_00_11_22/service0010/char0011.
struct ObjectPath {
    let adapter: String
    private let prefix: [CChar]

    init(adapter name: String) {
        adapter = "/org/bluez/\(name)"
        prefix = Array("/org/bluez/\(name)/dev_".utf8CString.dropLast())
    }

    func path(of device: DeviceAddress) -> String {
        "\(adapter)/dev_\(String(device.description.map { $0 == ":" ? "_" : $0 }))"
    }

    /// nil: neither a device of this adapter nor a part of one.
    ///
    /// - Parameter path: ends with a 0.
    func device(_ path: BusMessage.Text) -> (address: DeviceAddress, isPart: Bool)? {
        guard strncmp(path, prefix, prefix.count) == 0 else { return nil }
        var bits: UInt64 = 0
        for place in 0..<17 {
            let letter = UInt8(bitPattern: path[prefix.count + place])
            if place % 3 == 2 {
                guard letter == UInt8(ascii: "_") else { return nil }
            } else {
                guard let digit = Character(Unicode.Scalar(letter)).hexDigitValue else { return nil }
                bits = bits << 4 | UInt64(digit)
            }
        }
        let end = path[prefix.count + 17]
        guard end == 0 || end == CChar(UInt8(ascii: "/")) else { return nil }
        return (DeviceAddress(bits: bits), end != 0)
    }
}
