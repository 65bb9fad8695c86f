import Glibc

/// Where a peer is, for what counts by address: without its port; of IPv6 the first 64 bits, which are one customer's.
public struct PeerAddress: Hashable, Sendable {
    let bytes: [UInt8]

    /// - Parameter peer: as streams have it.
    public init(_ peer: String) {
        let host =
            peer.hasPrefix("[")
            ? peer.dropFirst().prefix { $0 != "]" }
            : peer.lastIndex(of: ":").map { peer[..<$0] } ?? peer[...]
        var address = in6_addr()
        guard peer.hasPrefix("["), inet_pton(AF_INET6, String(host), &address) == 1 else {
            bytes = Array(host.utf8)
            return
        }
        let all = withUnsafeBytes(of: address) { Array($0) }
        let isMapped = all[..<10].allSatisfy { $0 == 0 } && all[10] == 0xFF && all[11] == 0xFF
        bytes = isMapped ? Array(all[12...].map(String.init).joined(separator: ".").utf8) : Array(all[..<8])
    }
}
