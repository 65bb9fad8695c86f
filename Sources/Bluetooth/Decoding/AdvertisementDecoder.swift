/// Understands the parts of advertisements. Holds the bind keys, and of each device that encrypts how far it has counted, since
/// what it sent before must not count again.
package struct AdvertisementDecoder {
    package let keys: [DeviceAddress: BindKey]
    /// What isn't understood is given as hexadecimal.
    package let isRaw: Bool
    private var counters: [DeviceAddress: UInt32] = [:]

    package init(keys: [DeviceAddress: BindKey] = [:], isRaw: Bool = false) {
        self.keys = keys
        self.isRaw = isRaw
    }

    package mutating func decode(
        _ part: Advertisement.Part, from address: DeviceAddress
    ) throws(DecodingFailure) -> Decoded {
        do throws(DecodingFailure) {
            return try decodeKnown(part, from: address)
        } catch {
            // A replay is no news, and what should have been encrypted is not to be believed in any form.
            switch error {
            case .repeated, .replayed, .notEncrypted: throw error
            case .unknownFormat, .malformed, .keyMissing, .keyWrong: if !isRaw { throw error }
            }
            return Decoded(.raw, [Measurement(part.kind.name, .text(Hexadecimal.text(part.bytes)))])
        }
    }

    private mutating func decodeKnown(
        _ part: Advertisement.Part, from address: DeviceAddress
    ) throws(DecodingFailure) -> Decoded {
        switch part.kind {
        case .service(let uuid):
            switch uuid.short {
            case BTHome.service: return try decodeBTHome(part.bytes, from: address)
            case Eddystone.service: return try Eddystone.decode(part.bytes)
            case Thermometer.service:
                return try Thermometer.decode(part.bytes, from: address, key: keys[address])
            default: throw .unknownFormat
            }
        case .manufacturer(Ruuvi.company): return try Ruuvi.decode(part.bytes)
        case .manufacturer(IBeacon.company): return try IBeacon.decode(part.bytes)
        case .manufacturer: throw .unknownFormat
        }
    }

    private mutating func decodeBTHome(
        _ bytes: [UInt8], from address: DeviceAddress
    ) throws(DecodingFailure) -> Decoded {
        let key = keys[address]
        // Only of those with a key is anything kept.
        var counter = key == nil ? nil : counters[address]
        let decoded = try BTHome.decode(bytes, from: address, key: key, counter: &counter)
        if key != nil { counters[address] = counter }
        return decoded
    }
}
