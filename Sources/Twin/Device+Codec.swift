/// A device as bytes: in the store with its properties' names, in memory with their numbers.
///
/// All integers are LEB128, all texts have their length before them. First comes the format, 1.
extension Device {
    static let format: UInt8 = 1

    /// - Parameter names: puts the names in, for the store; nil: the numbers.
    func encode(names: NameTable?, into bytes: inout [UInt8]) {
        var writer = BlobWriter(bytes: bytes)
        bytes = []
        writer.byte(Self.format)
        writer.byte((isRemoved ? 1 : 0) | (isPending ? 2 : 0))
        writer.number(version)
        writer.text(name)
        writer.text(description)
        writer.text(state)
        writer.number(UInt64(bitPattern: lastOnline))
        writer.text(lastEvent)
        if !lastEvent.isEmpty { writer.number(lastEventHash) }
        writer.number(UInt64(attributes.count))
        for attribute in attributes {
            writer.text(attribute.name)
            writer.text(attribute.value)
            writer.text(attribute.type)
            writer.byte(attribute.optional ? 1 : 0)
        }
        writer.number(UInt64(properties.count))
        for property in properties {
            if let names { writer.text(names[property.name]) } else { writer.number(UInt64(property.name)) }
            writer.byte(property.type.rawValue | (property.optional ? 8 : 0) | (property.isPending ? 16 : 0))
            var sides: UInt8 = 0
            for (shift, side) in SideName.allCases.enumerated() {
                let side = property[side]
                sides |= ((side.value == nil ? 0 : 1) | (side.version == nil ? 0 : 2)) << UInt8(shift * 2)
            }
            writer.byte(sides)
            for side in SideName.allCases {
                let side = property[side]
                if let value = side.value {
                    writer.text(value)
                    writer.number(UInt64(bitPattern: side.timestamp))
                }
                if let version = side.version {
                    writer.number(UInt64(bitPattern: version.cloud))
                    writer.number(UInt64(bitPattern: version.edge))
                }
            }
        }
        bytes = writer.bytes
    }

    /// nil: it isn't what `encode` wrote.
    ///
    /// - Parameter number: the number of a name, where names are; nil: numbers are.
    init?(_ bytes: ArraySlice<UInt8>, number: ((String) -> UInt32)?) {
        var reader = BlobReader(bytes)
        guard reader.byte() == Self.format else { return nil }
        let flags = reader.byte()
        isRemoved = flags & 1 != 0
        isPending = flags & 2 != 0
        version = reader.number()
        name = reader.text()
        description = reader.text()
        state = reader.text()
        lastOnline = Int64(bitPattern: reader.number())
        lastEvent = reader.text()
        if !lastEvent.isEmpty { lastEventHash = reader.number() }
        var count = reader.number()
        while count > 0, reader.isGood {
            count -= 1
            attributes.append(
                Attribute(
                    name: reader.text(), value: reader.text(), type: reader.text(), optional: reader.byte() != 0))
        }
        count = reader.number()
        properties.reserveCapacity(Int(min(count, 64)))
        while count > 0, reader.isGood {
            count -= 1
            var property = Property(
                name: number.map { $0(reader.text()) } ?? UInt32(truncatingIfNeeded: reader.number()))
            let kind = reader.byte()
            guard let type = PropertyType(rawValue: kind & 7) else { return nil }
            property.type = type
            property.optional = kind & 8 != 0
            property.isPending = kind & 16 != 0
            let sides = reader.byte()
            property.expected = reader.side(sides)
            property.actual = reader.side(sides >> 2)
            properties.append(property)
        }
        guard reader.isGood else { return nil }
    }
}

private struct BlobWriter {
    var bytes: [UInt8]

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func number(_ value: UInt64) {
        var rest = value
        while rest > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func text(_ value: String) {
        number(UInt64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }
}

/// Reads zeros behind the end, and says that it did.
private struct BlobReader {
    private let bytes: ArraySlice<UInt8>
    private var index: Int
    private(set) var isGood = true

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        index = bytes.startIndex
    }

    mutating func byte() -> UInt8 {
        guard index < bytes.endIndex else {
            isGood = false
            return 0
        }
        defer { index += 1 }
        return bytes[index]
    }

    mutating func number() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = byte()
            value |= UInt64(next & 0x7F) << shift
            guard next & 0x80 != 0, isGood else { return value }
            shift += 7
            guard shift < 64 else {
                isGood = false
                return 0
            }
        }
    }

    mutating func text() -> String {
        let count = number()
        guard isGood, count <= UInt64(bytes.endIndex - index) else {
            isGood = false
            return ""
        }
        let end = index + Int(count)
        defer { index = end }
        return String(decoding: bytes[index..<end], as: UTF8.self)
    }

    mutating func side(_ flags: UInt8) -> Side {
        var side = Side()
        if flags & 1 != 0 {
            side.value = text()
            side.timestamp = Int64(bitPattern: number())
        }
        if flags & 2 != 0 {
            side.version = Version(cloud: Int64(bitPattern: number()), edge: Int64(bitPattern: number()))
        }
        return side
    }
}
