import CSQLite
import Glibc

/// A damaged database is never silently replaced, and never keeps the daemon from serving: what is readable of it is saved
/// into a new one, which takes its place, and what is lost is said.
extension Database {
    /// What opening found.
    public struct Opening {
        public let database: Database
        public let state: StoredState
        /// What became of a damaged database; nil: it was whole.
        public let salvage: SalvageReport?
    }

    /// Opens like `open`, but salvages a damaged database first. A database that isn't Roost's, or a newer Roost's, is
    /// refused and left alone.
    ///
    /// - Parameter onDamage: told the reason before the work begins, which takes as long as copying all that is stored.
    public static func openSalvaging(
        path: String, options: DatabaseOptions = DatabaseOptions(), onDamage: (String) -> Void = { _ in }
    ) throws(StoreError) -> sending Opening {
        guard options.vfs == nil else {
            let database = try open(path: path, options: options)
            return Opening(database: database, state: try database.load(), salvage: nil)
        }
        let directory = try DatabaseDirectory(path: path)
        try prepare(directory, options)
        try refuseNewer(path)
        var report: SalvageReport?
        if let reason = damageBeforeOpening(path, options) {
            onDamage(reason)
            report = try salvage(in: directory, options: options, because: reason)
        }
        while true {
            let error: StoreError
            do throws(StoreError) {
                try directory.finishSalvage()
                let database = try Database(path: path, options: options, directory: directory)
                do throws(StoreError) {
                    let state = try database.load()
                    database.settleEvidence()
                    database.restoreBallast()
                    database.usedBytes = try database.used()
                    if let kept = report?.evidence, access(kept, F_OK) != 0 { report?.evidence = nil }
                    return Opening(database: database, state: state, salvage: report)
                } catch let failure {
                    database.abandon()
                    throw failure
                }
            } catch let failure { error = failure }
            guard report == nil, error.isDamage, isOurs(path) else { throw error }
            onDamage(error.damageText)
            report = try salvage(in: directory, options: options, because: error.damageText)
        }
    }

    /// A newer Roost's database is left alone even where its pages don't verify: a newer Roost may seal them otherwise. A
    /// number that is one flipped bit away from one that is known is damage.
    static func refuseNewer(_ path: String) throws(StoreError) {
        let file = path + "/roost.db"
        let header = contents(of: file, atMost: 100)
        guard header.count == 100, header.starts(with: "SQLite format 3\0".utf8),
            header.big32(68) == UInt32(Schema.applicationID)
        else { return }
        let found = Int(header.big32(60))
        let isFlipped = (1...Schema.version).contains { ($0 ^ found).nonzeroBitCount == 1 }
        guard found <= Schema.version || isFlipped else {
            throw .newerSchema(path: file, found: found, known: Schema.version)
        }
    }

    /// Signs of damage that SQLite would pass over in silence.
    private static func damageBeforeOpening(_ path: String, _ options: DatabaseOptions) -> String? {
        let file = path + "/roost.db"
        var status = stat()
        let size = stat(file, &status) == 0 ? Int(status.st_size) : -1
        let log = RawLog(path: file + "-wal")
        if size <= 0, log != nil || (size == 0 && access(path + "/ballast", F_OK) == 0) {
            return size == 0 ? "\(file) is empty" : "\(file) is gone, and its write-ahead log is there"
        }
        let header = contents(of: file, atMost: 100)
        if header.count == 100, header[20] != UInt8(PageChecksums.byteCount),
            header.big32(68) == UInt32(Schema.applicationID),
            (UInt32(Schema.checksums)...UInt32(Schema.version)).contains(header.big32(60))
        {
            return "\(file) is damaged: its header says that pages have no checksums"
        }
        // Without a sync at each commit, a power loss may tear more than the last.
        if options.durability == .strict, let log, log.isDamaged {
            return "\(file)-wal is damaged: transactions behind a broken place"
        }
        return nil
    }

    /// Whether what can't be opened was Roost's: by its header, by its pages' checksums, or by its tables' names.
    static func isOurs(_ path: String) -> Bool {
        let file = path + "/roost.db"
        let head = contents(of: file, atMost: 64 << 10)
        if head.count >= 72, head.big32(68) == UInt32(Schema.applicationID) { return true }
        let name = Array("CREATE TABLE segment(".utf8)
        if head.count > name.count {
            for start in 0...head.count - name.count where head[start] == name[0] {
                if head[start..<start + name.count].elementsEqual(name) { return true }
            }
        }
        guard let pages = RawPages(path: file, log: file + "-wal"), pages.hasChecksums else { return false }
        return (1...min(pages.pageCount, 4096)).contains { pages.page($0)?.trust == .verified }
    }

    /// Saves what is readable into a new database that takes the damaged one's place.
    ///
    /// - Parameters:
    ///   - directory: locked; nobody has the database open.
    ///   - expected: by stream, the highest number known to have been there.
    ///   - makesRoom: where there is none for a whole copy, the ballast goes, then what is kept of earlier damage, and then
    ///     messages are left in the damaged file: a daemon has to serve. False: `full` is thrown, and nothing has changed.
    static func salvage(
        in directory: DatabaseDirectory, options: DatabaseOptions, because reason: String,
        expected: [Int64: UInt64] = [:], makesRoom: Bool = true, progress: ((Int, Int) -> Void)? = nil
    ) throws(StoreError) -> SalvageReport {
        func attempt(withLog: Bool) throws(StoreError) -> SalvageReport {
            do throws(StoreError) {
                return try copy(directory, options, reason, expected, progress, withLog: withLog)
            } catch {
                directory.discardSalvage()
                throw error
            }
        }
        do throws(StoreError) { return try attempt(withLog: true) } catch {
            guard makesRoom, case .full = error else { throw error }
        }
        // Room first: the ballast, and what was kept of earlier damage.
        directory.releaseBallast()
        _ = directory.trimEvidence(to: 0)
        do throws(StoreError) { return try attempt(withLog: true) } catch {
            guard case .full = error else { throw error }
        }
        return try attempt(withLog: false)
    }

    private static func copy(
        _ directory: DatabaseDirectory, _ options: DatabaseOptions, _ reason: String, _ expected: [Int64: UInt64],
        _ progress: ((Int, Int) -> Void)?, withLog: Bool
    ) throws(StoreError) -> SalvageReport {
        let place = try directory.beginSalvage()
        let file = directory.path + "/roost.db"
        let pages = RawPages(path: file, log: file + "-wal")
        // With pages of the same size the trees begin at the same pages: where the schema is lost, that tells where to look.
        var options = options
        if let pages { options.pageBytes = pages.pageBytes }
        let target = try Database(path: place, options: options, directory: nil)
        var report = SalvageReport()
        if let pages {
            let salvage = Salvage(pages, into: target, expected: expected)
            salvage.takesLog = withLog
            salvage.onProgress = progress
            do throws(SQLiteError) { try salvage.run() } catch {
                salvage.inserts = [:]
                target.abandon()
                throw storeError(error, path: target.filePath)
            }
            salvage.inserts = [:]
            report = salvage.report
        } else {
            report.brokenPages = 1
        }
        report.reason = reason
        report.logWasLeft = !withLog
        try target.close()
        report.evidence = try directory.endSalvage(leavesMessages: !withLog && pages != nil)
        return report
    }

    /// Evidence counts in the budget, and messages come first.
    func settleEvidence() {
        guard let directory else { return }
        _ = directory.trimEvidence(to: options.budgetBytes - usedBytes)
        evidenceBytes = directory.evidence.reduce(0) { $0 + $1.bytes }
    }
}

extension StoreError {
    /// The file is what is wrong, not the disk beneath or the way there.
    var isDamage: Bool {
        switch self {
        case .corrupt, .notADatabase: true
        // A table that isn't there, a page that the device can't read.
        case .failed(_, let code, _): code & 0xFF == SQLITE_ERROR || code == SQLITE_IOERR | 1 << 8
        default: false
        }
    }

    var damageText: String {
        switch self {
        case .corrupt(let path, let detail), .failed(let path, _, let detail): "\(path) is damaged: \(detail)"
        case .notADatabase(let path): "\(path) is damaged: its header is no database's"
        default: "\(self)"
        }
    }
}
