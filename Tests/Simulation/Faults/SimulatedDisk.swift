import CSQLite

/// A disk in memory below SQLite, which fails in every way that a disk fails: see `SimulatedFile` for what a power loss
/// and a failed sync take.
///
/// Each disk registers a `sqlite3_vfs` of its own (`SimulatedDisk+VFS.swift`); `crash` ends everything that has it open.
final class SimulatedDisk {
    struct Faults {
        /// How many of the next syncs, writes and reads fail.
        var failingSyncs = 0
        var failingWrites = 0
        var failingReads = 0
        /// Nothing can be written, made, cut or deleted.
        var isReadOnly = false
        /// Syncs say that all is well and do nothing.
        var lies = false
        /// Bytes that all files may have together.
        var capacityBytes = Int.max
    }

    /// What the process does, as others see it: true while it lives. Called before every change of the disk.
    var mayAct: () -> Bool = { true }
    var faults = Faults()
    private(set) var syncs = 0
    private(set) var writes = 0
    /// Since the disk was made: power went while a lying sync had not been made good.
    private(set) var lostByLying = false
    private var hasLied = false
    private var files: [String: SimulatedFile] = [:]
    /// Deleted, but the directory was not synced since: a power loss may bring them back.
    private var deleted: [String: SimulatedFile] = [:]
    private var random: SimulationRandom
    private let trace: Trace?
    /// What was open before the last crash is open no more.
    private(set) var generation = 0
    private(set) var vfs: RegisteredVFS?

    init(seed: UInt64, trace: Trace?) {
        random = SimulationRandom(seed: seed)
        self.trace = trace
        vfs = RegisteredVFS(self)
    }

    var vfsName: String { vfs?.name ?? "" }

    /// Bytes in all files.
    var usedBytes: Int { files.values.reduce(0) { $0 + $1.content.count } }

    // MARK: Ends

    /// The process is gone; the operating system has what it wrote.
    func crash() { generation += 1 }

    /// The power is gone: what was not synced is lost, as far as chance will have it.
    func losePower() {
        crash()
        if hasLied { lostByLying = true }
        hasLied = false
        for (name, file) in deleted.sorted(by: { $0.key < $1.key }) where files[name] == nil && file.isDurable {
            if random.oneIn(2) { files[name] = file }
        }
        deleted = [:]
        for name in files.keys.sorted() {
            if files[name]?.losePower(&random) == false { files[name] = nil }
        }
    }

    /// A new disk in the place of one that was found damaged.
    func replace() {
        crash()
        files = [:]
        deleted = [:]
        hasLied = false
    }

    // MARK: What the VFS asks

    func file(_ name: String) -> SimulatedFile? { files[name] }

    func create(_ name: String, isLog: Bool) -> SimulatedFile {
        let file = SimulatedFile(name)
        trace?.detail("\(name): create")
        file.isNewLog = isLog
        files[name] = file
        return file
    }

    func delete(_ name: String, syncsDirectory: Bool) -> Int32 {
        guard mayAct(), !faults.isReadOnly else { return IOError.delete }
        guard let file = files.removeValue(forKey: name) else { return IOError.deleteMissing }
        trace?.detail("\(name): delete")
        trace?.mix(3)
        if !syncsDirectory { deleted[name] = file } else { deleted[name] = nil }
        return SQLITE_OK
    }

    func read(_ file: SimulatedFile, _ target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int32 {
        if faults.failingReads > 0 {
            faults.failingReads -= 1
            return IOError.read
        }
        let count = file.read(target, at: offset)
        guard count < target.count else { return SQLITE_OK }
        UnsafeMutableRawBufferPointer(rebasing: target[count...]).initializeMemory(as: UInt8.self, repeating: 0)
        return IOError.shortRead
    }

    func write(_ file: SimulatedFile, _ bytes: UnsafeRawBufferPointer, at offset: Int) -> Int32 {
        guard mayAct() else { return IOError.write }
        // As SQLite's VFS on Linux, which takes no more at a time.
        guard bytes.count < 128 << 10 else { return SQLITE_FULL }
        writes += 1
        guard !faults.isReadOnly else { return IOError.write }
        if faults.failingWrites > 0 {
            faults.failingWrites -= 1
            // A part of it may have been written.
            file.write(UnsafeRawBufferPointer(rebasing: bytes[..<random.below(bytes.count + 1)]), at: offset)
            return IOError.write
        }
        let growth = offset + bytes.count - file.content.count
        guard growth <= 0 || usedBytes + growth <= faults.capacityBytes else { return SQLITE_FULL }
        trace?.detail("\(file.name): write \(bytes.count) at \(offset)")
        trace?.mix(offset << 2)
        trace?.mix(bytes.count)
        file.write(bytes, at: offset)
        return SQLITE_OK
    }

    func truncate(_ file: SimulatedFile, to size: Int) -> Int32 {
        guard mayAct(), !faults.isReadOnly else { return IOError.truncate }
        trace?.detail("\(file.name): truncate to \(size)")
        trace?.mix(size << 2 | 1)
        file.truncate(to: size)
        return SQLITE_OK
    }

    func sync(_ file: SimulatedFile) -> Int32 {
        guard mayAct() else { return IOError.fsync }
        syncs += 1
        trace?.detail("\(file.name): sync")
        trace?.mix(2)
        if faults.failingSyncs > 0 {
            faults.failingSyncs -= 1
            if hasLied { lostByLying = true }
            file.failSync(&random)
            return IOError.fsync
        }
        if faults.lies {
            hasLied = true
        } else {
            // As SQLite on Linux: with a new journal or WAL the directory is synced too.
            if file.isNewLog { deleted = [:] }
            file.isNewLog = false
            file.sync()
        }
        return SQLITE_OK
    }
}

/// Extended result codes, which are macros that Swift doesn't see.
enum IOError {
    static let read = SQLITE_IOERR | 1 << 8
    static let shortRead = SQLITE_IOERR | 2 << 8
    static let write = SQLITE_IOERR | 3 << 8
    static let fsync = SQLITE_IOERR | 4 << 8
    static let truncate = SQLITE_IOERR | 6 << 8
    static let delete = SQLITE_IOERR | 10 << 8
    static let deleteMissing = SQLITE_IOERR | 23 << 8
}
