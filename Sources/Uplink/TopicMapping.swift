import Glibc

/// A `topic = "{node}/{topic}"` pattern, made ready: what goes before, between and after the message's own topic.
public struct TopicMapping: Equatable, Sendable {
    /// Literal text; the message's topic stands between each two. `[[], []]` leaves topics as they are.
    private let literals: [[UInt8]]
    /// Bytes of all the literals together.
    private let literalBytes: Int
    public let isIdentity: Bool
    private var swap: PrefixSwap?

    /// `{topic}`.
    public static let identity = TopicMapping(literals: [[], []])

    /// Why a pattern can't be used.
    public enum PatternError: Error, Equatable, Sendable {
        case unknownPlaceholder(String)
        /// A label that the node doesn't have.
        case unknownLabel(String)
        case unclosedBrace
        case wildcard
        case empty
    }

    /// Compiles `pattern` with `{topic}`, `{node}` and `{label:NAME}`.
    public init(_ pattern: String, node: String, labels: [(name: String, value: String)]) throws(PatternError) {
        var literals: [[UInt8]] = [[]]
        var rest = Array(pattern.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "{") else {
                guard byte != UInt8(ascii: "+"), byte != UInt8(ascii: "#") else { throw .wildcard }
                literals[literals.count - 1].append(byte)
                continue
            }
            guard let close = rest.firstIndex(of: UInt8(ascii: "}")) else { throw .unclosedBrace }
            let name = String(decoding: rest[..<close], as: UTF8.self)
            rest = rest[(close + 1)...]
            switch name {
            case "topic": literals.append([])
            case "node": literals[literals.count - 1] += Array(node.utf8)
            case _ where name.hasPrefix("label:"):
                let label = String(name.dropFirst(6))
                guard let value = labels.first(where: { $0.name == label })?.value else { throw .unknownLabel(label) }
                literals[literals.count - 1] += Array(value.utf8)
            default: throw .unknownPlaceholder(name)
            }
        }
        guard literals.count > 1 || !literals[0].isEmpty else { throw .empty }
        self.init(literals: literals)
    }

    private init(literals: [[UInt8]]) {
        self.literals = literals
        literalBytes = literals.reduce(0) { $0 + $1.count }
        isIdentity = literals.count == 2 && literalBytes == 0
    }

    /// Gives topics that begin as `swap` says another beginning, and leaves the others as they are.
    public init(_ swap: PrefixSwap) {
        literals = [[], []]
        literalBytes = 0
        isIdentity = false
        self.swap = swap
    }

    /// Bytes that a topic becomes; may pass 65,535, which no packet can carry.
    func mappedLength(_ topic: UnsafeRawBufferPointer) -> Int {
        if let swap { return topic.count + (swap.applies(to: topic) ? swap.to.count - swap.from.count : 0) }
        return literalBytes + (literals.count - 1) * topic.count
    }

    /// Room for `count` mapped topics that together have `topicBytes` bytes.
    func capacity(topicBytes: Int, count: Int) -> Int {
        literalBytes * count + (literals.count - 1) * topicBytes
    }

    /// Writes the mapped topic and returns the place behind it.
    func write(_ topic: UnsafeRawBufferPointer, to start: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        var target = start
        if let swap {
            let applies = swap.applies(to: topic)
            for part in applies ? swap.to[...] : [] {
                target.storeBytes(of: part, as: UInt8.self)
                target += 1
            }
            let rest = UnsafeRawBufferPointer(rebasing: topic[(applies ? swap.from.count : 0)...])
            if let source = rest.baseAddress { memcpy(target, source, rest.count) }
            return target + rest.count
        }
        for (index, literal) in literals.enumerated() {
            if index > 0, let source = topic.baseAddress {
                memcpy(target, source, topic.count)
                target += topic.count
            }
            literal.withUnsafeBytes { bytes in
                guard let source = bytes.baseAddress else { return }
                memcpy(target, source, bytes.count)
                target += bytes.count
            }
        }
        return target
    }

    /// The mapped topic as bytes of its own.
    public func mapped(_ topic: UnsafeRawBufferPointer) -> [UInt8] {
        let length = mappedLength(topic)
        return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            guard let start = buffer.baseAddress else { return }
            _ = write(topic, to: UnsafeMutableRawPointer(start))
            count = length
        }
    }
}

/// Another beginning for topics that begin alike: how device twins' topics get their node's name, and lose it.
public struct PrefixSwap: Equatable, Sendable {
    public var from: [UInt8]
    public var to: [UInt8]

    public init(from: String, to: String) {
        self.from = Array(from.utf8)
        self.to = Array(to.utf8)
    }

    func applies(to topic: UnsafeRawBufferPointer) -> Bool { topic.starts(with: from) }
}
