import MQTT

/// Why a receiver refuses a batch (docs/formats.md).
public enum BatchRefusal: Error, Equatable, Sendable {
    /// The bytes are no batch: what was wrong, and where.
    case structure(String, offset: Int)
    /// A checksum of the LZ4 frame doesn't verify.
    case checksum
    /// It would be longer than `limitBytes` decompressed.
    case bomb(limitBytes: Int)
    /// A header version that this receiver doesn't know.
    case unknownVersion(String)
    /// The header's node differs from the topic's last level.
    case nodeMismatch(header: String, topic: String)
    /// The publishing client may not publish to this topic, or it begins with `$`.
    case topic(String)
    /// A number or a gap lies more than 2^32 beyond the last.
    case tooFar(number: UInt64, last: UInt64)
    /// The store can't keep it now. 0x97: the sender tries again.
    case storeFull
    /// So much is kept of what came from each node that a new one has no room. 0x97 too.
    case tooManyRuns(limitBytes: Int)

    /// A copy goes to `roost/refused/...`, so that a person can look at it.
    public var keepsCopy: Bool {
        switch self {
        case .unknownVersion, .storeFull, .tooManyRuns: false
        default: true
        }
    }

    /// 0x97 where the sender may have success later, 0x99 else.
    public var reason: ReasonCode {
        switch self {
        case .storeFull, .tooManyRuns: .quotaExceeded
        default: .payloadFormatInvalid
        }
    }

    /// One word: in the metric, and to tell one trouble from another in the log.
    public var word: String {
        switch self {
        case .structure: "structure"
        case .checksum: "checksum"
        case .bomb: "bomb"
        case .unknownVersion: "version"
        case .nodeMismatch: "node"
        case .topic: "topic"
        case .tooFar: "number"
        case .storeFull, .tooManyRuns: "full"
        }
    }

    /// All words there are.
    public static let words = ["structure", "checksum", "bomb", "version", "node", "topic", "number", "full"]
}

extension BatchRefusal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .structure(let what, let offset): offset == 0 ? what : "\(what) at byte \(offset)"
        case .checksum: "the checksum does not verify"
        case .bomb(let limit): "it is longer than max_batch (\(limit) bytes) when decompressed"
        case .unknownVersion(let version): "version \(version) is not known here; update this receiver"
        case .nodeMismatch(let header, let topic): "its header names node \(header), its topic \(topic)"
        case .topic(let topic): "its publisher may not publish to \(topic)"
        case .tooFar(let number, let last): "number \(number) is more than 2^32 beyond the last, \(last)"
        case .storeFull: "the store is full"
        case .tooManyRuns(let limit):
            "what came from each node takes more than \(limit) bytes of memory (roost coverage shows whose); "
                + "a new node has no room"
        }
    }
}
