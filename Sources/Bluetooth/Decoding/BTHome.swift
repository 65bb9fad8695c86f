/// BTHome v2 (https://bthome.io/format), service data of UUID 0xFCD2: a byte of device information, then objects of an
/// identifier and a value.
enum BTHome {
    static let service: UInt16 = 0xFCD2

    /// The first byte of the service data.
    struct DeviceInformation {
        let bits: UInt8

        var isEncrypted: Bool { bits & 1 != 0 }
        /// The device's own address stands in front of the objects.
        var includesAddress: Bool { bits & 2 != 0 }
        var version: UInt8 { bits >> 5 }
    }

    /// - Parameter counter: the last encryption counter that was accepted of this device; it is moved on here.
    static func decode(
        _ data: [UInt8], from address: DeviceAddress, key: BindKey?, counter: inout UInt32?
    ) throws(DecodingFailure) -> Decoded {
        guard let first = data.first else { throw .malformed }
        let information = DeviceInformation(bits: first)
        guard information.version == 2 else { throw .malformed }
        guard information.isEncrypted else {
            guard key == nil else { throw .notEncrypted }
            let objects = data.dropFirst(information.includesAddress ? 7 : 1)
            let read = BTHomeObjects(objects)
            guard !read.isEmpty else { throw .malformed }
            return Decoded(.bthome, read.measurements, sequence: read.packetIdentifier.map(UInt32.init))
        }
        let (plain, count) = try open(data, information, from: address, key: key, last: counter)
        let read = BTHomeObjects(plain[...])
        counter = count
        guard !read.isEmpty else { throw .malformed }
        return Decoded(.bthome, read.measurements, sequence: count)
    }

    /// https://bthome.io/encryption: objects, a counter of four bytes and a tag of four. The nonce is the address, the UUID, the
    /// device information and the counter.
    private static func open(
        _ data: [UInt8], _ information: DeviceInformation, from address: DeviceAddress, key: BindKey?, last: UInt32?
    ) throws(DecodingFailure) -> (plain: [UInt8], counter: UInt32) {
        guard let key else { throw .keyMissing }
        let start = information.includesAddress ? 7 : 1
        // An identifier and a byte of value are the least.
        guard data.count >= start + 2 + 8 else { throw .malformed }
        let counterBytes = data[(data.count - 8)..<(data.count - 4)]
        let counter = UInt32(truncatingIfNeeded: ByteCursor.unsigned(counterBytes))
        if counter == last { throw .repeated }
        // It restarts near 0 after a change of the battery, and after it has run through.
        if let last, counter < last, counter >= 100 { throw .replayed }
        let sender = information.includesAddress ? Array(data[1..<7].reversed()) : address.bytes
        let nonce = sender + [0xD2, 0xFC, information.bits] + counterBytes
        guard
            let plain = AESCCM(key: key).open(
                data[start..<(data.count - 8)], tag: data.suffix(4), nonce: nonce)
        else { throw .keyWrong }
        return (plain, counter)
    }
}
