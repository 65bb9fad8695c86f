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

    /// A copy goes to `roost/refused/...`, so that a person can look at it.
    public var keepsCopy: Bool {
        switch self {
        case .unknownVersion, .storeFull: false
        default: true
        }
    }
}

extension BatchRefusal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .structure(let what, let offset): "\(what) at byte \(offset)"
        case .checksum: "the checksum does not verify"
        case .bomb(let limit): "it is longer than max_batch (\(limit) bytes) when decompressed"
        case .unknownVersion(let version): "version \(version) is not known here; update this receiver"
        case .nodeMismatch(let header, let topic): "its header names node \(header), its topic \(topic)"
        case .topic(let topic): "its publisher may not publish to \(topic)"
        case .tooFar(let number, let last): "number \(number) is more than 2^32 beyond the last, \(last)"
        case .storeFull: "the store is full"
        }
    }
}
