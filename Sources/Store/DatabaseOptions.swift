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
    /// A file given up when the disk is full, so that deletes can commit; part of the budget. nil: 1 % of it, 4 MiB at most.
    public var ballastBytes: Int?
    public var compression = LZ4.Level.fast
    public var pageBytes = 4096
    /// Name of a registered `sqlite3_vfs` to open with, for a simulated disk: then there is no lock and no ballast, and the
    /// path is the VFS's.
    public var vfs: String?

    public init() {}

    var ballast: Int { vfs != nil ? 0 : ballastBytes ?? min(4 << 20, budgetBytes / 100) }

    /// Frames in the WAL at which it is checkpointed: more stalls commits for longer (MEASURED.md §2), and in a small budget
    /// the WAL is to be a small part.
    var checkpointFrames: Int { max(32, min(1000, budgetBytes / 16 / pageBytes)) }

    /// What the WAL file may keep between checkpoints.
    var walBytes: Int { checkpointFrames * (pageBytes + 24) }
}
