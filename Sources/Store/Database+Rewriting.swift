import CSQLite
import Glibc

/// The whole database written anew: as an upgrade that gives its pages checksums, or to give space back.
extension Database {
    /// Before a database is opened for writing: what a start that was cut off left is finished or thrown away, and an older
    /// database brought to where pages have checksums. Where there is no room for that it stays as it is; a damaged one too.
    static func prepare(_ directory: DatabaseDirectory, _ options: DatabaseOptions) throws(StoreError) {
        directory.discardSalvage()
        try directory.finishSalvage()
        guard let found = version(of: directory.path + "/roost.db"), found > 0, found < Schema.checksums else { return }
        do throws(StoreError) { try rewrite(in: directory, options: options) } catch { directory.discardSalvage() }
    }

    /// The schema's version as the file's header has it; nil: there is no database of ours.
    private static func version(of file: String) -> Int? {
        let header = contents(of: file, atMost: 100)
        guard header.count == 100, header.big32(68) == UInt32(Schema.applicationID) else { return nil }
        return Int(header.big32(60))
    }

    /// Writes all that is stored into a new file without free pages, which takes the old one's place at once or not at all.
    /// Nobody else may have the database open. Returns the bytes of the file before and after.
    @discardableResult
    static func rewrite(
        in directory: DatabaseDirectory, options: DatabaseOptions
    ) throws(StoreError) -> (before: Int, after: Int) {
        let file = directory.path + "/roost.db"
        let place = try directory.beginSalvage() + "/roost.db"
        do throws(SQLiteError) {
            let old = try Connection(path: file, flags: SQLITE_OPEN_READWRITE)
            try old.execute("PRAGMA temp_store = MEMORY")
            // The log must be empty before the file is another.
            try old.checkpoint(SQLITE_CHECKPOINT_TRUNCATE)
            old.reserveChecksums()
            try old.vacuum(into: place)
            old.close()
            let new = try Connection(path: place, flags: SQLITE_OPEN_READWRITE)
            let found = Int(try new.integer("PRAGMA user_version"))
            if found < Schema.version { try Schema.migrate(new, from: found) }
            new.close()
        } catch { throw storeError(error, path: place) }
        guard SQLiteFile.sizeOfWAL(of: file, vfs: nil) == 0 else {
            throw .failed(path: file, code: SQLITE_BUSY, detail: "somebody reads it; try again when nobody does")
        }
        let before = size(of: file)
        try directory.replaceDatabase(with: place)
        return (before, size(of: file))
    }

    static func size(of file: String) -> Int {
        var status = stat()
        return stat(file, &status) == 0 ? Int(status.st_size) : 0
    }

    /// The beginning of a file, or all of it; as much as can be read.
    static func contents(of path: String, atMost limit: Int = .max) -> [UInt8] {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { Glibc.close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size > 0 else { return [] }
        let size = min(Int(status.st_size), limit)
        return [UInt8](unsafeUninitializedCapacity: size) { buffer, done in
            while done < size {
                let got = pread(descriptor, buffer.baseAddress.map { $0 + done }, size - done, off_t(done))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { break }
                done += got
            }
        }
    }
}
