import Bluetooth
import Glibc

/// Properties of a device (`org.bluez.Device1`), or those of them that changed.
struct DeviceProperties {
    var name: String?
    var rssi: Int?
    var parts: [Advertisement.Part] = []
    var isConnected: Bool?
    var isResolved: Bool?

    /// From a map of texts to variants.
    init(_ message: BusMessage) {
        message.forEachEntry(valued: "v") { key in read(key, message) }
    }

    /// It was heard, and not only found in a memory of earlier days.
    var isHeard: Bool { rssi != nil || !parts.isEmpty }

    private mutating func read(_ key: BusMessage.Text, _ message: BusMessage) {
        if strcmp(key, "RSSI") == 0 {
            rssi = message.variant("n") { message.number("n", as: Int16.self) }.map(Int.init)
        } else if strcmp(key, "ManufacturerData") == 0 {
            readManufacturers(message)
        } else if strcmp(key, "ServiceData") == 0 {
            readServices(message)
        } else if strcmp(key, "Name") == 0 {
            name = message.variant("s") { message.string() }
        } else if strcmp(key, "Connected") == 0 {
            isConnected = message.variant("b") { message.boolean() }
        } else if strcmp(key, "ServicesResolved") == 0 {
            isResolved = message.variant("b") { message.boolean() }
        } else {
            message.skip("v")
        }
    }

    private mutating func readManufacturers(_ message: BusMessage) {
        var found: [Advertisement.Part] = []
        _ = message.variant("a{qv}") {
            message.forEach(in: "{qv}") {
                message.entry("q", "v") {
                    guard let company = message.number("q", as: UInt16.self),
                        let bytes = message.variant("ay", { message.bytes() })
                    else { return }
                    found.append(.init(.manufacturer(company), bytes))
                }
            }
        }
        parts += found
    }

    private mutating func readServices(_ message: BusMessage) {
        var found: [Advertisement.Part] = []
        _ = message.variant("a{sv}") {
            message.forEachEntry(valued: "v") { key in
                let bytes = message.variant("ay") { message.bytes() }
                guard let uuid = AttributeUUID(parsing: String(cString: key)), let bytes else { return }
                found.append(.init(.service(uuid), bytes))
            }
        }
        parts += found
    }
}
