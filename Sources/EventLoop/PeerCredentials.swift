import CLinux

/// Who is at the other end of a Unix socket, as the kernel saw it when it connected (unix(7), SO_PEERCRED, SO_PEERGROUPS).
public struct PeerCredentials: Sendable, Equatable {
    public var process: Int32
    public var user: UInt32
    /// The effective group first, then the supplementary ones.
    public var groups: [UInt32]

    public init(process: Int32, user: UInt32, groups: [UInt32]) {
        self.process = process
        self.user = user
        self.groups = groups
    }

    /// nil: not a connected Unix socket.
    init?(of socket: Int32) {
        var process: pid_t = 0
        var user: uid_t = 0
        var group: gid_t = 0
        guard linux_peer_credentials(socket, &process, &user, &group) else { return nil }
        var others = [gid_t](repeating: 0, count: 1024)
        let count = linux_peer_groups(socket, &others, UInt32(others.count))
        self.init(process: process, user: user, groups: [group] + others.prefix(max(Int(count), 0)))
    }
}
