/// What hears advertisements and connects to devices: BlueZ, and in tests whatever is needed. On its loop.
package protocol Radio: AnyObject {
    var delegate: (any RadioDelegate)? { get set }

    /// Begins to scan, now or as soon as it can; never gives up.
    func start()
    func stop()

    /// It has heard of the device, so that it can be connected to.
    func knows(_ device: DeviceAddress) -> Bool

    /// Connects, and finds out what services the device has. One connect at a time for each device.
    func connect(to device: DeviceAddress, then: @escaping (RadioResult<Void>) -> Void)
    func disconnect(from device: DeviceAddress)

    /// For these the device is connected.
    func read(_ place: CharacteristicPlace, then: @escaping (RadioResult<[UInt8]>) -> Void)
    func write(_ bytes: [UInt8], to place: CharacteristicPlace, then: @escaping (RadioResult<Void>) -> Void)
    /// From now on `didNotify` tells of each new value.
    func notify(of place: CharacteristicPlace, then: @escaping (RadioResult<Void>) -> Void)
}

package typealias RadioResult<Success> = Result<Success, RadioError>

package protocol RadioDelegate: AnyObject {
    func radio(didChange state: RadioState)
    func radio(didHear advertisement: Advertisement)
    /// A device that wasn't known is.
    func radio(didFind device: DeviceAddress)
    /// A connection ended that nobody here has ended.
    func radio(didLose device: DeviceAddress)
    func radio(didNotify bytes: [UInt8], of place: CharacteristicPlace)
}

/// Whether anything can be heard.
package enum RadioState: Equatable, Sendable {
    case scanning
    /// Not now; the text says why, and what to do about it.
    case unavailable(String)
}

/// Which characteristic, of which device.
package struct CharacteristicPlace: Hashable, Sendable {
    package var device: DeviceAddress
    package var uuid: AttributeUUID
    /// Where several services have a characteristic of this UUID; nil: the first that has it.
    package var service: AttributeUUID?

    package init(device: DeviceAddress, uuid: AttributeUUID, service: AttributeUUID? = nil) {
        self.device = device
        self.uuid = uuid
        self.service = service
    }
}

/// Why something asked of a radio failed.
package enum RadioError: Error, Equatable, Sendable, CustomStringConvertible {
    case unavailable
    /// Nothing was heard of the device since the scan began.
    case notHeard
    case noCharacteristic(AttributeUUID)
    /// In the words of whoever refused.
    case refused(String)
    case timeout
    case disconnected

    package var description: String {
        switch self {
        case .unavailable: "the adapter is not available"
        case .notHeard: "the device has not been heard"
        case .noCharacteristic(let uuid): "the device has no characteristic \(uuid)"
        case .refused(let text): text
        case .timeout: "no answer in time"
        case .disconnected: "the connection was lost"
        }
    }
}
