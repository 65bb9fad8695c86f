import CSQLite

/// Rows that were found go into the new database, each once: what the trees had comes first, and strays fill in.
extension Salvage {
    func insert(_ row: RawCells.Row, _ shape: RowShape) throws(SQLiteError) {
        guard Self.makesSense(row, shape) else {
            report.lostRows += 1
            return
        }
        try put(row, into: shape.name, columns: shape.columns.count)
        if target.connection.changes > 0 { report.rows[shape.name, default: 0] += 1 }
    }

    /// Into the log, where it verifies and nothing else has its numbers; else aside.
    func insertSegment(_ row: RawCells.Row, isStray: Bool) throws(SQLiteError) {
        guard let key = row.rowid, let segment = verify(row, key: key) else {
            guard !isStray else { return }
            if let header = header(row) { expect(header) }
            return try insertQuarantined(row)
        }
        let counter = target.counters[segment.stream]
        // What has been passed is no longer part of the log; and old pages hold what was there long ago.
        if let counter, segment.last < counter.trimmedBelow { return }
        if isStray, counter?.record == nil { return }
        if let last = counter?.lastKey, key <= last || segment.first <= counter?.lastNumber ?? 0 {
            guard try isFree(segment) else { return }
        }
        try put(row, into: "segment", columns: 8)
        report.segments += 1
        report.messages += segment.count
        report.bytes += segment.raw
        target.counters[segment.stream, default: SegmentCounters()].note(segment)
        try wrote(segment.raw)
    }

    /// For a person to look at. Its numbers count as lost.
    func insertQuarantined(_ row: RawCells.Row) throws(SQLiteError) {
        try put(row, into: "quarantine", columns: 8)
        report.setAside += 1
    }

    /// The numbers, where their CRC is right.
    private func header(_ row: RawCells.Row) -> SegmentRow? {
        let values = row.values
        guard let key = row.rowid, let count = values[1].integer, let raw = values[2].integer,
            let received = values[3].integer, let expiry = values[4].integer, let sealed = values[6].blob, count > 0,
            raw >= 0, raw <= 1 << 28
        else { return nil }
        let segment = SegmentRow(key: key, count: Int(count), raw: Int(raw), receivedAt: received)
        return segment.unseal(sealed, expiry: expiry) == nil ? nil : segment
    }

    /// Numbers and index by their CRC, packets by their frame's checksum.
    private func verify(_ row: RawCells.Row, key: Int64) -> SegmentRow? {
        let values = row.values
        guard let segment = header(row), let raw = values[2].integer, let received = values[3].integer,
            let expiry = values[4].integer, values[5].integer == SegmentRow.lz4Frame, let sealed = values[6].blob,
            let frame = values[7].blob, let index = segment.unseal(sealed, expiry: expiry),
            let packets = try? target.decompressor.decompress(frame.span.bytes, maximum: Int(raw)),
            packets.count == Int(raw)
        else { return nil }
        let stored = StoredSegment(
            stream: StreamID(rawValue: segment.stream), first: segment.first, count: segment.count, packets: packets,
            index: index, receivedAt: received)
        return stored.fault == nil ? segment : nil
    }

    private func isFree(_ segment: SegmentRow) throws(SQLiteError) -> Bool {
        if let before = try target.header(below: segment.key, of: segment.stream), before.last >= segment.first {
            return false
        }
        let rest = segment.key...SegmentRow.keys(of: segment.stream).upperBound
        if let next = try target.headers(in: rest, limit: 1).first, next.first <= segment.last { return false }
        return true
    }

    /// What no checksum tells: a topic that is not the packet's, a QoS that there isn't.
    private static func makesSense(_ row: RawCells.Row, _ shape: RowShape) -> Bool {
        let values = row.values
        switch shape.name {
        case "stream":
            guard let id = row.rowid, id > 0, id < 1 << 22 else { return false }
            return (values[1] == .null || values[2] == .null)
                && (values[2].blob.map { DatabaseCodec.members($0) != nil } ?? true)
        case "session": return values[1].blob?.isEmpty == false
        case "subscription":
            return values[1].blob?.isEmpty == false && (0...2).contains(values[2].integer ?? -1)
                && (0...2).contains(values[5].integer ?? -1)
        case "position":
            return DatabaseCodec.position(
                cursor: UInt64(bitPattern: values[2].integer ?? 0), finished: values[3].blob ?? []) != nil
        case "inbound": return (0...0xFFFF).contains(values[1].integer ?? -1)
        case "outbound": return (0...0xFFFF).contains(values[1].integer ?? -1)
        case "retained":
            guard let packet = values[4].blob, StoredSegment.packetCount(packet) == 1, let topic = values[1].blob else {
                return false
            }
            return topicOf(packet) == topic
        default: return true
        }
    }

    private static func topicOf(_ packet: [UInt8]) -> [UInt8]? {
        guard let head = packet.dropFirst().firstIndex(where: { $0 < 0x80 }), head + 3 <= packet.count else {
            return nil
        }
        let length = packet.big16(head + 1)
        guard head + 3 + length <= packet.count else { return nil }
        return Array(packet[head + 3..<head + 3 + length])
    }

    private func put(_ row: RawCells.Row, into table: String, columns: Int) throws(SQLiteError) {
        if inserts[table] == nil {
            let marks = Array(repeating: "?", count: columns).joined(separator: ", ")
            inserts[table] = Insert(try target.connection.prepare("INSERT OR IGNORE INTO \(table) VALUES(\(marks))"))
        }
        guard let insert = inserts[table] else { return }
        for (index, value) in row.values.enumerated() {
            let place = Int32(index + 1)
            switch value {
            case .null where index == 0 && row.rowid != nil: insert.statement.bind(place, row.rowid ?? 0)
            case .null, .real: insert.statement.bindNull(place)
            case .integer(let number): insert.statement.bind(place, number)
            case .blob(let bytes): insert.statement.bind(place, bytes)
            case .text(let bytes): insert.statement.bind(place, String(decoding: bytes, as: UTF8.self))
            }
        }
        try insert.statement.run()
    }

    /// A dictionary can't hold what must not be copied.
    final class Insert {
        let statement: Statement
        init(_ statement: consuming Statement) { self.statement = statement }
    }
}

extension SegmentCounters {
    /// Notes a segment that may lie between others.
    mutating func note(_ row: SegmentRow) {
        lastKey = max(lastKey ?? row.key, row.key)
        lastNumber = max(lastNumber, row.last)
    }
}
