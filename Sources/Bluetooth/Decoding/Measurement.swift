import Bridge

/// One value that a device told.
package struct Measurement: Sendable, Equatable {
    /// One level of a topic: "temperature".
    package var name: String
    package var value: Value
    /// Empty: none.
    package var unit: String
    /// Something that happened (a button was pressed), which is told however often it happens.
    package var isEvent: Bool

    package init(_ name: String, _ value: Value, unit: String = "", isEvent: Bool = false) {
        self.name = name
        self.value = value
        self.unit = unit
        self.isEvent = isEvent
    }

    /// `raw / 10^decimals`, correctly rounded: what prints with that many decimals and no more.
    static func scaled(_ name: String, _ raw: Int, decimals: Int = 0, unit: String = "") -> Measurement {
        let value = decimals == 0 ? Value.integer(Int64(raw)) : .number(Double(raw) / powersOfTen[decimals])
        return Measurement(name, value, unit: unit)
    }

    private static let powersOfTen: [Double] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000]
}

/// What one part of an advertisement says.
package struct Decoded: Sendable, Equatable {
    package var format: AdvertisementFormat
    package var measurements: [Measurement]
    /// What the device counts up with each new advertisement (BTHome packet id or encryption counter, Ruuvi measurement
    /// sequence); nil: it doesn't count.
    package var sequence: UInt32?

    package init(_ format: AdvertisementFormat, _ measurements: [Measurement], sequence: UInt32? = nil) {
        self.format = format
        self.measurements = measurements
        self.sequence = sequence
    }
}

/// How advertisements are written.
package enum AdvertisementFormat: String, Sendable, CaseIterable {
    case bthome
    case ruuvi
    case eddystone
    case ibeacon
    case atc
    case pvvx
    /// Not decoded: hexadecimal.
    case raw
}

/// Why a part of an advertisement gives no values.
package enum DecodingFailure: Error, Sendable, Equatable {
    /// Of none of the formats.
    case unknownFormat
    /// Of a format, and yet not well formed.
    case malformed
    /// Encrypted, and there is no key for the device.
    case keyMissing
    /// The key doesn't open it, or it was changed on its way.
    case keyWrong
    /// The message that was understood last, by its counter.
    case repeated
    /// An earlier one, by its counter, sent again by somebody.
    case replayed
    /// Plain, though there is a key for the device: anybody could have sent it.
    case notEncrypted
}
