import Testing

@testable import Twin

@Suite struct DeviceTableTests {
    @Test func whatIsPutInIsFound() {
        var table = DeviceTable()
        var model: [String: UInt8] = [:]
        var random = SystemRandomNumberGenerator()

        for step in 0..<20_000 {
            let key = "device-\(Int.random(in: 0..<2000, using: &random))"
            let known = table.find(Array(key.utf8))
            #expect((known != nil) == (model[key] != nil))
            if Int.random(in: 0..<3, using: &random) == 0, let known {
                table.remove(at: known)
                model[key] = nil
            } else {
                let value = UInt8(truncatingIfNeeded: step)
                table.set(Array(key.utf8), at: known) { $0.append(value) }
                model[key] = value
            }
        }

        #expect(table.count == model.count)
        for (key, value) in model {
            let place = table.find(Array(key.utf8))
            #expect(place.flatMap { table.device(at: $0) }.map(Array.init) == [value])
            #expect(place.map { Array(table.key(at: $0)) } == Array(key.utf8))
        }
    }

    @Test func aDeviceComesBackAsItWas() {
        var names = NameTable()
        var device = Device()
        device.name = "press"
        device.description = "by the door"
        device.state = "Online"
        device.lastOnline = 1_795_884_445_999
        device.version = 300
        device.lastEvent = "e1"
        device.lastEventHash = .max
        device.attributes = [.init(name: "maker", value: "Acme", type: "string", optional: false)]
        for index in 0..<5 {
            var property = Property(name: names.intern("p\(index)"))
            property.type = PropertyType(rawValue: UInt8(index)) ?? .string
            property.optional = index != 2
            property.isPending = index == 3
            property.expected = Side(value: index == 1 ? nil : "22", timestamp: 7, version: Version(cloud: 3, edge: 1))
            if index == 1 { property.expected.timestamp = 0 }
            if index == 4 {
                property.actual = Side(value: "", timestamp: 1 << 40, version: Version(cloud: 0, edge: 1 << 62))
            }
            device.properties.append(property)
        }
        var row: [UInt8] = []
        var blob: [UInt8] = [1, 2, 3]

        device.encode(names: names, into: &row)
        device.encode(names: nil, into: &blob)

        #expect(Device(row[...], number: { names.find($0) ?? .max }) == device)
        #expect(Device(blob[3...], number: nil) == device)
        for length in 0..<row.count { _ = Device(row[..<length], number: { names.find($0) ?? .max }) }
    }
}
