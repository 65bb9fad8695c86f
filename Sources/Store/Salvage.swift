import CSQLite

/// Saves what is readable of a damaged database into a new one.
///
/// The damaged file is read page by page without SQLite (`RawPages`). First the trees are walked from their roots; where a
/// page of one is broken, pages that nothing points to any more are looked through too. A row's shape says what table it
/// is of. What proves itself is taken from any page: a segment has checksums of its own. Other rows are taken from pages
/// whose checksum is right.
///
/// Then the new database is made consistent (`Salvage+Mending.swift`), so that what is lost is known by number and told.
final class Salvage {
    let pages: RawPages
    let target: Database
    var report = SalvageReport()
    /// Pages that are in use by what was found: not looked at again as lost ones.
    private var used: [Bool]
    /// A tree has a hole where pages may be missing; nil key: no tree is known.
    private var lossyTables: Set<String> = []
    private var freeIsKnown = true
    /// Told the pages done and all pages, now and then.
    var onProgress: ((Int, Int) -> Void)?
    /// Messages are copied too, as far as they verify.
    var takesLog = true
    private var pagesDone = 0
    private var pendingBytes = 0
    var inserts: [String: Insert] = [:]
    /// By stream, the highest number known to have been there.
    private(set) var expected: [Int64: UInt64]

    var segmentsAreLossy: Bool { lossyTables.contains("segment") || report.logWasBroken }
    func isLossy(_ table: String) -> Bool { lossyTables.contains(table) || report.logWasBroken }

    /// - Parameters:
    ///   - target: new and empty.
    ///   - expected: by stream, the highest number that the writer knew, where one was there.
    init(_ pages: RawPages, into target: Database, expected: [Int64: UInt64] = [:]) {
        self.expected = expected
        self.pages = pages
        self.target = target
        used = Array(repeating: false, count: pages.pageCount + 1)
        report.logWasBroken = pages.log?.isDamaged ?? false
    }

    func run() throws(SQLiteError) {
        try target.connection.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")
        let roots = try findRoots()
        for table in RowShape.all where table.name != "segment" && table.name != "quarantine" {
            try walk(table.name, from: roots[table.name])
        }
        // Indexes hold nothing new, but pages.
        for index in ["sqlite_autoindex_retained_1", "segment_expiry"] {
            if let root = roots[index] { try walk(index, from: root, isIndex: true) }
        }
        // Streams are known now, and what of each has been passed.
        try learnStreams()
        if takesLog {
            try walk("segment", from: roots["segment"])
            try walk("quarantine", from: roots["quarantine"])
        } else {
            lossyTables.insert("segment")
        }
        if !lossyTables.isEmpty { try takeStrays() }
        try mend()
        try target.connection.execute("COMMIT")
    }

    // MARK: Trees

    /// By the schema; where it can't be read, as every database of ours has them.
    private func findRoots() throws(SQLiteError) -> [String: Int] {
        var roots: [String: Int] = [:]
        var isWhole = true
        func look(_ number: Int, depth: Int) {
            guard let page = pages.page(number), page.trust != .broken,
                let cells = RawCells(page, usable: pages.usableBytes), depth < 8
            else {
                isWhole = false
                return
            }
            used[number] = true
            let broken = cells.forEachRow(in: pages) { row in
                guard row.values.count == 5, let name = row.values[1].text, let root = row.values[3].integer else {
                    return
                }
                for overflow in row.chain where overflow < used.count { used[overflow] = true }
                if (2...Int64(pages.pageCount)).contains(root) { roots[name] = Int(root) }
            }
            if broken > 0 { isWhole = false }
            for child in cells.children where child < used.count && child > 0 && !used[child] {
                look(child, depth: depth + 1)
            }
        }
        look(1, depth: 0)
        if !isWhole {
            report.brokenPages += 1
            try target.rows("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0") {
                if roots[$0.text(0)] == nil, $0.int(1) <= pages.pageCount { roots[$0.text(0)] = $0.int(1) }
            }
        }
        markFree(isWhole)
        return roots
    }

    /// Pages on the free list hold what was deleted.
    private func markFree(_ headerIsGood: Bool) {
        freeIsKnown = false
        guard headerIsGood, let header = pages.page(1) else { return }
        var trunk = Int(header.bytes.big32(32))
        while trunk != 0 {
            guard let page = pages.page(trunk), page.trust != .broken, !used[trunk] else { return }
            used[trunk] = true
            let count = Int(page.bytes.big32(4))
            guard count <= (pages.usableBytes - 8) / 4 else { return }
            for index in 0..<count {
                let leaf = Int(page.bytes.big32(8 + 4 * index))
                if leaf < used.count { used[leaf] = true }
            }
            trunk = Int(page.bytes.big32(0))
        }
        freeIsKnown = true
    }

    private func walk(_ table: String, from root: Int?, isIndex: Bool = false) throws(SQLiteError) {
        guard let root else {
            lossyTables.insert(table)
            return
        }
        var stack = [root]
        while let number = stack.popLast() {
            guard number > 0, number < used.count, !used[number] else {
                lossyTables.insert(table)
                continue
            }
            used[number] = true
            progress()
            if pages.log?.brokenPages.contains(number) ?? false { lossyTables.insert(table) }
            guard let page = pages.page(number), let cells = RawCells(page, usable: pages.usableBytes) else {
                lossyTables.insert(table)
                report.brokenPages += 1
                continue
            }
            if page.trust == .broken {
                lossyTables.insert(table)
                report.brokenPages += 1
            }
            if !isIndex, try take(cells, of: table) > 0 { lossyTables.insert(table) }
            // What a broken page points to is found as a stray.
            if page.trust != .broken { stack.append(contentsOf: cells.children.reversed()) }
        }
    }

    /// Pages that nothing points to, and that the free list doesn't name.
    private func takeStrays() throws(SQLiteError) {
        var later: [RawCells] = []
        for number in 1..<used.count where !used[number] {
            progress()
            guard let page = pages.page(number), let cells = RawCells(page, usable: pages.usableBytes),
                cells.kind.hasRows
            else { continue }
            var hasSegments = false
            _ = try cells.forEachRow(in: pages) { (row) throws(SQLiteError) in
                guard let shape = RowShape.of(row) else { return }
                if shape.name == "segment" {
                    hasSegments = takesLog
                } else if row.isIntact, lossyTables.contains(shape.name), freeIsKnown || shape.isHarmlessWhenOld {
                    try insert(row, shape)
                }
            }
            if hasSegments { later.append(cells) }
        }
        try learnStreams()
        for cells in later {
            _ = try cells.forEachRow(in: pages) { (row) throws(SQLiteError) in
                if let shape = RowShape.of(row), shape.name == "segment" { try insertSegment(row, isStray: true) }
            }
        }
    }

    /// Returns how many rows were there and are lost.
    private func take(_ cells: RawCells, of table: String) throws(SQLiteError) -> Int {
        let lostBefore = report.lostRows
        let setAsideBefore = report.setAside
        let broken = try cells.forEachRow(in: pages) { (row) throws(SQLiteError) in
            guard let shape = RowShape.of(row) else {
                if !table.hasPrefix("sqlite_") { report.lostRows += 1 }
                return
            }
            for page in row.chain where page < used.count && row.isIntact { used[page] = true }
            if shape.name == "segment" {
                if table == "quarantine" { return try insertQuarantined(row) }
                return try insertSegment(row, isStray: false)
            }
            guard row.isIntact else {
                report.lostRows += 1
                return
            }
            try insert(row, shape)
        }
        if !table.hasPrefix("sqlite_"), table != "segment" { report.lostRows += broken }
        return broken + (report.lostRows - lostBefore) + (report.setAside - setAsideBefore)
    }

    /// A segment was there that is lost.
    func expect(_ row: SegmentRow) { expected[row.stream] = max(expected[row.stream] ?? 0, row.last) }

    private func progress() {
        pagesDone += 1
        if pagesDone % 4096 == 0 { onProgress?(min(pagesDone, pages.pageCount), pages.pageCount) }
    }

    /// A transaction grows no further than this: its pages are in SQLite's cache.
    func wrote(_ bytes: Int) throws(SQLiteError) {
        pendingBytes += bytes
        guard pendingBytes > 4 << 20 else { return }
        pendingBytes = 0
        try target.connection.execute("COMMIT; BEGIN")
    }
}
