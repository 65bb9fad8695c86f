/// Whose twin: a device of this node, or one of another node that tells us of it.
public struct TwinID: Hashable, Sendable {
    /// nil: this node.
    public var node: String?
    /// One level ("sensor-1") or two ("default/sensor-1").
    public var device: String

    public init(node: String? = nil, device: String) {
        self.node = node
        self.device = device
    }

    /// Levels of a topic, that no topic filter could be mistaken for.
    public var isValid: Bool {
        let levels = device.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return levels.count <= 2 && levels.allSatisfy { !$0.isEmpty } && device.utf8.count <= Self.maximumBytes
            && !device.utf8.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") || $0 == 0 }
    }

    static let maximumBytes = 256

    /// What the store knows it by. U+0000 is in no topic, so the two kinds can't be mistaken for each other.
    var key: [UInt8] {
        guard let node else { return Array(device.utf8) }
        return [0] + Array(node.utf8) + [0] + Array(device.utf8)
    }

    init?(key: some Collection<UInt8>) {
        guard key.first == 0 else {
            self.init(device: String(decoding: key, as: UTF8.self))
            return
        }
        let rest = key.dropFirst()
        guard let end = rest.firstIndex(of: 0) else { return nil }
        self.init(
            node: String(decoding: rest[..<end], as: UTF8.self),
            device: String(decoding: rest[rest.index(after: end)...], as: UTF8.self))
    }

    /// Where its messages are: `$hw/events/device/{id}`, below the node for another's.
    var topic: String {
        node.map { "$hw/events/node/\($0)/device/\(device)" } ?? "$hw/events/device/\(device)"
    }

    /// The last level: what a device is called until it has another name.
    var lastLevel: String { device.split(separator: "/").last.map(String.init) ?? device }
}
