import MQTT

@testable import Twin

/// A message to device twins: its topic on the first line, the rest what it says.
enum TwinMessage {
    static func take(_ input: [UInt8]) {
        let parts = input.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
        parts[0].withUnsafeBytes { topic in
            guard let parsed = TwinTopic(topic, own: "own"), !parsed.device.isEmpty else { return }
            let id = TwinID(node: parsed.node, device: parsed.device)
            if id.isValid { precondition(TwinID(key: id.key) == id, "a device gets another's key") }
        }
        guard parts.count > 1, let base = try? BaseMessage(Array(parts[1])) else { return }
        for strict in [true, false] {
            guard let request = try? TwinRequest(base, strict: strict) else { continue }
            update(request)
            var names = NameTable()
            var device = Device()
            _ = device.applyFromCloud(request, now: 1, names: &names)
            _ = device.applyFromEdge(request, now: 2, names: &names)
            keeps(device, names)
        }
    }

    /// All or nothing, twice; and what was told once is no news to the edge.
    private static func update(_ request: TwinRequest) {
        var names = NameTable()
        var device = Device()
        for round in 1...2 {
            let before = (device, names.names.count)
            guard let effect = try? device.apply(request, at: .edge, now: Int64(round), names: &names) else {
                precondition(device == before.0 && names.names.count == before.1, "a part of a refused update is kept")
                return
            }
            precondition(effect.documents.count <= request.properties.count)
            let messages = TwinMessages(names: names, now: 3)
            for bytes in [
                messages.document(effect, event: "e"), messages.updated(effect, version: 1, event: "e"),
                messages.got(device, event: "e"), messages.delta(device, event: "e") ?? messages.got(device, event: ""),
                messages.synchronised(device, effect.changed, event: "e", aboutDevice: true),
            ] {
                precondition((try? BaseMessage(bytes)) != nil, "what is said is no message")
            }
            keeps(device, names)
        }
    }

    private static func keeps(_ device: Device, _ names: NameTable) {
        var row: [UInt8] = []
        device.encode(names: names, into: &row)
        precondition(Device(row[...], number: { names.find($0) ?? .max }) == device, "written otherwise than read")
    }
}
