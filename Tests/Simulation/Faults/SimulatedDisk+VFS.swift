import CSQLite
import Glibc
import Synchronization

/// A `sqlite3_vfs` for one simulated disk, registered while it lives.
final class RegisteredVFS {
    let name: String
    private let pointer: UnsafeMutablePointer<sqlite3_vfs>
    private let nameBytes: UnsafeMutablePointer<CChar>?
    private static let count = Atomic<Int>(0)

    init(_ disk: SimulatedDisk) {
        name = "simulated-\(Self.count.add(1, ordering: .relaxed).newValue)"
        nameBytes = strdup(name)
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: sqlite3_vfs())
        pointer.pointee.iVersion = 1
        pointer.pointee.szOsFile = Int32(MemoryLayout<FileHandle>.size)
        pointer.pointee.mxPathname = 512
        pointer.pointee.zName = UnsafePointer(nameBytes)
        pointer.pointee.pAppData = Unmanaged.passUnretained(disk).toOpaque()
        install()
        sqlite3_vfs_register(pointer, 0)
    }

    deinit {
        sqlite3_vfs_unregister(pointer)
        pointer.deallocate()
        free(nameBytes)
    }

    private func install() {
        pointer.pointee.xOpen = { vfs, path, file, flags, outFlags in
            guard let disk = disk(vfs), let file else { return SQLITE_ERROR }
            return open(disk, path, file, flags, outFlags)
        }
        pointer.pointee.xDelete = { vfs, path, syncsDirectory in
            guard let disk = disk(vfs), let path else { return SQLITE_ERROR }
            return disk.delete(String(cString: path), syncsDirectory: syncsDirectory != 0)
        }
        pointer.pointee.xAccess = { vfs, path, _, result in
            guard let disk = disk(vfs), let path else { return SQLITE_ERROR }
            result?.pointee = disk.file(String(cString: path)) == nil ? 0 : 1
            return SQLITE_OK
        }
        pointer.pointee.xFullPathname = { _, path, count, target in
            guard let path, let target, strlen(path) < Int(count) else { return SQLITE_CANTOPEN }
            strcpy(target, path)
            return SQLITE_OK
        }
        pointer.pointee.xRandomness = { _, count, target in
            if let target { memset(target, 7, Int(count)) }
            return count
        }
        pointer.pointee.xSleep = { _, microseconds in microseconds }
        pointer.pointee.xCurrentTime = { _, days in
            days?.pointee = 2_460_000
            return SQLITE_OK
        }
        pointer.pointee.xGetLastError = { _, _, _ in 0 }
    }
}

/// What SQLite allocates for an open file.
private struct FileHandle {
    var base: sqlite3_file
    var opened: UnsafeMutableRawPointer?
}

/// A file as one connection has it.
private final class OpenedFile {
    let disk: SimulatedDisk
    let file: SimulatedFile
    private let generation: Int
    /// The WAL-index: one connection at a time has a database here, so that it is the connection's own.
    var regions: [UnsafeMutableRawPointer] = []

    init(_ disk: SimulatedDisk, _ file: SimulatedFile) {
        self.disk = disk
        self.file = file
        generation = disk.generation
    }

    deinit { for region in regions { region.deallocate() } }

    /// The process that opened it is gone.
    var isStale: Bool { generation != disk.generation }
}

private func disk(_ vfs: UnsafeMutablePointer<sqlite3_vfs>?) -> SimulatedDisk? {
    guard let data = vfs?.pointee.pAppData else { return nil }
    return Unmanaged<SimulatedDisk>.fromOpaque(data).takeUnretainedValue()
}

private func open(
    _ disk: SimulatedDisk, _ path: UnsafePointer<CChar>?, _ file: UnsafeMutablePointer<sqlite3_file>, _ flags: Int32,
    _ outFlags: UnsafeMutablePointer<Int32>?
) -> Int32 {
    file.pointee.pMethods = nil
    var found: SimulatedFile?
    if let path {
        let name = String(cString: path)
        found = disk.file(name)
        if found == nil {
            guard flags & SQLITE_OPEN_CREATE != 0, disk.mayAct(), !disk.faults.isReadOnly else {
                return SQLITE_CANTOPEN
            }
            found = disk.create(name, isLog: flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL) != 0)
        }
    }
    let opened = OpenedFile(disk, found ?? SimulatedFile("temporary"))
    outFlags?.pointee = flags
    file.withMemoryRebound(to: FileHandle.self, capacity: 1) {
        $0.pointee.opened = Unmanaged.passRetained(opened).toOpaque()
    }
    file.pointee.pMethods = methods.pointer
    return SQLITE_OK
}

private func opened(_ file: UnsafeMutablePointer<sqlite3_file>?) -> OpenedFile? {
    let handle = UnsafeMutableRawPointer(file)?.assumingMemoryBound(to: FileHandle.self)
    guard let pointer = handle?.pointee.opened else { return nil }
    let opened = Unmanaged<OpenedFile>.fromOpaque(pointer).takeUnretainedValue()
    return opened.isStale ? nil : opened
}

/// The one table of methods, for all disks.
private let methods = Methods()

private struct Methods: @unchecked Sendable {
    let pointer: UnsafePointer<sqlite3_io_methods>

    init() {
        let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        table.initialize(to: sqlite3_io_methods())
        table.pointee.iVersion = 2
        Self.installFile(table)
        Self.installLocks(table)
        pointer = UnsafePointer(table)
    }

    private static func installFile(_ table: UnsafeMutablePointer<sqlite3_io_methods>) {
        table.pointee.xClose = { file in
            let handle = UnsafeMutableRawPointer(file)?.assumingMemoryBound(to: FileHandle.self)
            if let pointer = handle?.pointee.opened { Unmanaged<OpenedFile>.fromOpaque(pointer).release() }
            handle?.pointee.opened = nil
            return SQLITE_OK
        }
        table.pointee.xRead = { file, target, count, offset in
            guard let opened = opened(file) else { return IOError.read }
            let target = UnsafeMutableRawBufferPointer(start: target, count: Int(count))
            return opened.disk.read(opened.file, target, at: Int(offset))
        }
        table.pointee.xWrite = { file, bytes, count, offset in
            guard let opened = opened(file) else { return IOError.write }
            let bytes = UnsafeRawBufferPointer(start: bytes, count: Int(count))
            return opened.disk.write(opened.file, bytes, at: Int(offset))
        }
        table.pointee.xTruncate = { file, size in
            guard let opened = opened(file) else { return IOError.truncate }
            return opened.disk.truncate(opened.file, to: Int(size))
        }
        table.pointee.xSync = { file, _ in
            guard let opened = opened(file) else { return IOError.fsync }
            return opened.disk.sync(opened.file)
        }
        table.pointee.xFileSize = { file, size in
            guard let opened = opened(file) else { return SQLITE_IOERR }
            size?.pointee = sqlite3_int64(opened.file.content.count)
            return SQLITE_OK
        }
        table.pointee.xFileControl = { _, _, _ in SQLITE_NOTFOUND }
        table.pointee.xSectorSize = { _ in 4096 }
        // As on Linux: a write that is cut off damages nothing beside it.
        table.pointee.xDeviceCharacteristics = { _ in SQLITE_IOCAP_POWERSAFE_OVERWRITE }
    }

    private static func installLocks(_ table: UnsafeMutablePointer<sqlite3_io_methods>) {
        table.pointee.xLock = { _, _ in SQLITE_OK }
        table.pointee.xUnlock = { _, _ in SQLITE_OK }
        table.pointee.xCheckReservedLock = { _, result in
            result?.pointee = 0
            return SQLITE_OK
        }
        table.pointee.xShmMap = { file, index, bytes, extends, target in
            guard let opened = opened(file) else { return SQLITE_IOERR }
            while opened.regions.count <= Int(index) {
                guard extends != 0 else { return SQLITE_OK }
                let region = UnsafeMutableRawPointer.allocate(byteCount: Int(bytes), alignment: 16)
                region.initializeMemory(as: UInt8.self, repeating: 0, count: Int(bytes))
                opened.regions.append(region)
            }
            target?.pointee = UnsafeMutableRawPointer(opened.regions[Int(index)])
            return SQLITE_OK
        }
        table.pointee.xShmLock = { _, _, _, _ in SQLITE_OK }
        table.pointee.xShmBarrier = { _ in }
        table.pointee.xShmUnmap = { _, _ in SQLITE_OK }
    }
}
