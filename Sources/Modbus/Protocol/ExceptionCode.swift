/// Why a device says that it can't do what was asked (Modbus Application Protocol 1.1b3 §7).
package struct ExceptionCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let illegalFunction = ExceptionCode(rawValue: 1)
    package static let illegalDataAddress = ExceptionCode(rawValue: 2)
    package static let illegalDataValue = ExceptionCode(rawValue: 3)
    package static let serverDeviceFailure = ExceptionCode(rawValue: 4)
    package static let acknowledge = ExceptionCode(rawValue: 5)
    package static let serverDeviceBusy = ExceptionCode(rawValue: 6)
    /// Of programming functions that are in no present specification, and which devices send all the same.
    package static let negativeAcknowledge = ExceptionCode(rawValue: 7)
    package static let memoryParityError = ExceptionCode(rawValue: 8)
    package static let gatewayPathUnavailable = ExceptionCode(rawValue: 10)
    package static let gatewayTargetDeviceFailedToRespond = ExceptionCode(rawValue: 11)

    package var name: String {
        switch self {
        case .illegalFunction: "illegal function"
        case .illegalDataAddress: "illegal data address"
        case .illegalDataValue: "illegal data value"
        case .serverDeviceFailure: "server device failure"
        case .acknowledge: "acknowledge"
        case .serverDeviceBusy: "server device busy"
        case .negativeAcknowledge: "negative acknowledge"
        case .memoryParityError: "memory parity error"
        case .gatewayPathUnavailable: "gateway path unavailable"
        case .gatewayTargetDeviceFailedToRespond: "gateway target device failed to respond"
        default: "not assigned"
        }
    }

    package var description: String { "exception \(rawValue), \(name)" }

    /// The gateway speaks for a device that is silent.
    var meansSilence: Bool { self == .gatewayPathUnavailable || self == .gatewayTargetDeviceFailedToRespond }

    /// The same question may well be answered a little later.
    var mayPass: Bool { self == .acknowledge || self == .serverDeviceBusy }

    /// The device lacks something of what was asked for, or doesn't give so much at once: fewer places may be had.
    var refusesPlaces: Bool { self == .illegalDataAddress || self == .illegalDataValue }
}
