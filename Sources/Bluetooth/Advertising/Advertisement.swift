/// What a device said of itself in one advertisement, as far as anything here makes use of it.
package struct Advertisement: Sendable, Equatable {
    /// What follows a service's UUID, or a company's identifier.
    package struct Part: Sendable, Equatable {
        package enum Kind: Sendable, Hashable {
            case service(AttributeUUID)
            /// Company identifier, assigned by the Bluetooth SIG.
            case manufacturer(UInt16)
        }

        package var kind: Kind
        package var bytes: [UInt8]

        package init(_ kind: Kind, _ bytes: [UInt8]) {
            self.kind = kind
            self.bytes = bytes
        }
    }

    package var address: DeviceAddress
    package var name: String?
    /// dBm.
    package var rssi: Int?
    package var parts: [Part]

    package init(address: DeviceAddress, name: String? = nil, rssi: Int? = nil, parts: [Part] = []) {
        self.address = address
        self.name = name
        self.rssi = rssi
        self.parts = parts
    }
}

extension Advertisement.Part.Kind {
    /// "service_fcd2" or "manufacturer_0499".
    package var name: String {
        switch self {
        case .service(let uuid): "service_\(uuid.short.map(Self.digits) ?? uuid.description)"
        case .manufacturer(let company): "manufacturer_\(Self.digits(company))"
        }
    }

    private static func digits(_ number: UInt16) -> String {
        Hexadecimal.text([UInt8(number >> 8), UInt8(truncatingIfNeeded: number)])
    }
}
