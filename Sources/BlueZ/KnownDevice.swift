import Bluetooth

/// What BlueZ has told of a device.
struct KnownDevice {
    struct Characteristic {
        var path: String
        var uuid: AttributeUUID
        var servicePath: String
    }

    var name: String?
    var isConnected = false
    var isResolved = false
    /// We have connected to it, and are told when that ends.
    var isOurs = false
    var services: [String: AttributeUUID] = [:]
    var characteristics: [Characteristic] = []

    func path(of place: CharacteristicPlace) -> String? {
        characteristics.first { item in
            item.uuid == place.uuid && (place.service == nil || services[item.servicePath] == place.service)
        }?.path
    }

    func place(of path: String, on device: DeviceAddress) -> CharacteristicPlace? {
        guard let item = characteristics.first(where: { $0.path == path }) else { return nil }
        return CharacteristicPlace(device: device, uuid: item.uuid, service: services[item.servicePath])
    }
}
