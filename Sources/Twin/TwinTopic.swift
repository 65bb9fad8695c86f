/// What a message on one of the twins' topics asks for, and of whose twin (docs/twin.md).
struct TwinTopic: Equatable {
    enum Word: Equatable {
        case get, update, cloudUpdated, edgeUpdated, stateUpdate, membershipGet
    }

    /// Another node, whose twins are kept here; nil: this node's own.
    var node: String?
    /// One level or two; empty: the node as a whole.
    var device: String
    var word: Word

    /// nil: nothing that twins answer.
    ///
    /// - Parameter own: this node's id, under which nobody but itself tells of changes.
    init?(_ topic: UnsafeRawBufferPointer, own: String) {
        guard let rest = Self.after("$hw/events/", topic) else { return nil }
        if let rest = Self.after("device/", rest) {
            self.init(node: nil, rest, Self.deviceWords)
            return
        }
        guard let rest = Self.after("node/", rest), let end = rest.firstIndex(of: UInt8(ascii: "/")), end > 0 else {
            return nil
        }
        let node = String(decoding: rest[..<end], as: UTF8.self)
        let tail = UnsafeRawBufferPointer(rebasing: rest[end...])
        if tail.elementsEqual("/membership/get".utf8) {
            self.init(node: node == own ? nil : node, device: "", word: .membershipGet)
            return
        }
        guard node != own, let rest = Self.after("/device/", tail) else { return nil }
        self.init(node: node, rest, Self.nodeWords)
    }

    private init(node: String?, device: String, word: Word) {
        self.node = node
        self.device = device
        self.word = word
    }

    private init?(node: String?, _ rest: UnsafeRawBufferPointer, _ words: [(end: StaticString, word: Word)]) {
        for (end, word) in words {
            let count = end.utf8CodeUnitCount
            guard rest.count > count,
                rest.suffix(count).elementsEqual(UnsafeBufferPointer(start: end.utf8Start, count: count))
            else { continue }
            let id = rest.dropLast(count)
            let levels = id.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            guard levels.count <= 2, levels.allSatisfy({ !$0.isEmpty }) else { return nil }
            self.init(node: node, device: String(decoding: id, as: UTF8.self), word: word)
            return
        }
        return nil
    }

    private static let deviceWords: [(end: StaticString, word: Word)] = [
        ("/twin/update", .update), ("/twin/get", .get), ("/state/update", .stateUpdate),
        ("/twin/cloud_updated", .cloudUpdated),
    ]
    private static let nodeWords: [(end: StaticString, word: Word)] = [
        ("/twin/edge_updated", .edgeUpdated), ("/twin/update", .update), ("/twin/get", .get),
    ]

    private static func after(_ text: StaticString, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let count = text.utf8CodeUnitCount
        guard bytes.count > count,
            bytes.prefix(count).elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: count))
        else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[count...])
    }

    /// A message of this kind changes what is kept.
    var stores: Bool {
        switch word {
        case .get, .membershipGet: false
        case .update, .cloudUpdated, .edgeUpdated, .stateUpdate: true
        }
    }
}
