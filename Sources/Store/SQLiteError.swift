import CSQLite

/// What SQLite said: its extended result code, its text, and the `errno` behind it.
///
/// https://www.sqlite.org/rescode.html
struct SQLiteError: Error, Equatable {
    /// The extended result code.
    let code: Int32
    let message: String
    /// `errno` of the system call that failed, 0 where none did.
    let systemErrno: Int32

    /// The low byte: `SQLITE_FULL`, `SQLITE_IOERR`, ...
    var primaryCode: Int32 { code & 0xFF }

    init(code: Int32, message: String, systemErrno: Int32 = 0) {
        self.code = code
        self.message = message
        self.systemErrno = systemErrno
    }

    init(_ code: Int32, of database: OpaquePointer?) {
        let extended = database.map { sqlite3_extended_errcode($0) } ?? code
        // A later call may have overwritten the connection's last error: then the code at hand is the better one.
        self.code = extended & 0xFF == code & 0xFF ? extended : code
        let text = database.flatMap { sqlite3_errmsg($0) } ?? sqlite3_errstr(code)
        message = text.map { String(cString: $0) } ?? "error \(code)"
        systemErrno = database.map { sqlite3_system_errno($0) } ?? 0
    }
}
