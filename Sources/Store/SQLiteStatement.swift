import CSQLite

/// A prepared statement, finalized when it goes out of scope. Parameters count from 1, columns from 0, as in SQLite.
struct Statement: ~Copyable {
    private let handle: OpaquePointer

    /// Tells SQLite to copy what is bound: for small values whose memory ends before the step.
    private static var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    init(handle: OpaquePointer) { self.handle = handle }

    deinit { sqlite3_finalize(handle) }

    func bind(_ parameter: Int32, _ value: Int64) { sqlite3_bind_int64(handle, parameter, value) }
    func bind(_ parameter: Int32, _ value: Int) { sqlite3_bind_int64(handle, parameter, Int64(value)) }
    func bind(_ parameter: Int32, _ value: Bool) { sqlite3_bind_int64(handle, parameter, value ? 1 : 0) }
    /// Numbers above `Int64.max` keep their bits.
    func bind(_ parameter: Int32, _ value: UInt64) { bind(parameter, Int64(bitPattern: value)) }
    func bind(_ parameter: Int32, _ value: String) {
        sqlite3_bind_text(handle, parameter, value, -1, Self.transient)
    }
    func bindNull(_ parameter: Int32) { sqlite3_bind_null(handle, parameter) }

    /// Copies the bytes; an empty array is an empty BLOB, not NULL.
    func bind(_ parameter: Int32, _ value: [UInt8]) {
        guard !value.isEmpty else {
            sqlite3_bind_zeroblob(handle, parameter, 0)
            return
        }
        sqlite3_bind_blob64(handle, parameter, value, UInt64(value.count), Self.transient)
    }

    /// Binds without a copy: the bytes must stay where they are until `reset` and the next `bind`.
    func bind(_ parameter: Int32, unowned value: UnsafeRawBufferPointer) {
        guard let address = value.baseAddress, !value.isEmpty else {
            sqlite3_bind_zeroblob(handle, parameter, 0)
            return
        }
        sqlite3_bind_blob64(handle, parameter, address, UInt64(value.count), nil)
    }

    /// Steps once: whether there is a row. Resets at the end and on errors.
    func step() throws(SQLiteError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        case let code:
            let error = SQLiteError(code, of: sqlite3_db_handle(handle))
            sqlite3_reset(handle)
            throw error
        }
    }

    /// Runs a statement that returns no rows of interest.
    func run() throws(SQLiteError) {
        _ = try step()
        sqlite3_reset(handle)
    }

    var columnCount: Int32 { sqlite3_column_count(handle) }

    /// What went wrong with the last call on this connection, such as a column whose pages can't be read.
    var error: SQLiteError? {
        let database = sqlite3_db_handle(handle)
        let code = sqlite3_errcode(database)
        return code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE ? nil : SQLiteError(code, of: database)
    }

    func reset() { sqlite3_reset(handle) }

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func int(_ column: Int32) -> Int { Int(truncatingIfNeeded: integer(column)) }
    func bool(_ column: Int32) -> Bool { integer(column) != 0 }
    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    func text(_ column: Int32) -> String {
        sqlite3_column_text(handle, column).map { String(cString: $0) } ?? ""
    }

    func bytes(_ column: Int32) -> [UInt8] {
        withBytes(column) { Array($0) }
    }

    /// The column's bytes in place, until the next step.
    func withBytes<Result, Failure: Error>(
        _ column: Int32, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let address = sqlite3_column_blob(handle, column)
        return try body(UnsafeRawBufferPointer(start: address, count: Int(sqlite3_column_bytes(handle, column))))
    }
}
