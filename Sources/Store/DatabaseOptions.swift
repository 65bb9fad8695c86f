/// How the store keeps its promises, and within what limits.
public struct DatabaseOptions: Sendable, Equatable {
    public enum Durability: Sendable {
        /// A commit is on the disk when it is reported.
        case strict
        /// A commit survives the process, and a power loss once the next checkpoint has run.
        case relaxed
    }

    public enum WhenFull: Sendable {
        /// The lowest class's oldest segments go, in the transaction that passed the budget.
        case evict
        /// Nothing goes; who submits watches `usedBytes` and refuses.
        case refuse
    }

    public var durability = Durability.strict
    public var whenFull = WhenFull.evict
    /// Bytes that used pages, the WAL and the ballast may take together.
    public var budgetBytes = 1 << 30
    /// A file given up when the disk is full, so that deletes can commit; part of the budget. nil: a
    /// 32nd of it, 6 MiB at most. 0: none.
    public var ballastBytes: Int?
    public var compression = LZ4.Level.fast
    /// Of a new database. Against 4096 a lone commit writes a third less, a group of 64 two fifths, a drain half, at the same
    /// speed and CPU.
    public var pageBytes = 1024
    /// Name of a registered `sqlite3_vfs` to open with, for a simulated disk: then there is no lock and no ballast, and the
    /// path is the VFS's.
    public var vfs: String?

    public init() {}

    var ballast: Int { vfs != nil ? 0 : ballastBytes ?? min(6 << 20, budgetBytes / 32) }

    /// Frames in the WAL at which it is checkpointed: more stalls commits for longer (docs/performance.md), and the ballast, given
    /// up on a full disk, must make room in the database for the WAL's pages and those of one commit more.
    var checkpointFrames: Int {
        let room = ballast > 0 ? ballast : min(6 << 20, budgetBytes / 32)
        return max(16, min(2000, room / pageBytes * 2 / 3))
    }

    /// What the WAL file may keep between checkpoints.
    var walBytes: Int { checkpointFrames * (pageBytes + 24) }
}
