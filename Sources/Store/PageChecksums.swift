/// A checksum in the last eight bytes of every page of the database file, so that what the disk gives back wrong is never
/// taken for data: SQLite by itself would read a flipped bit in a row as if it had been written so.
///
/// The bytes are SQLite's reserved space at the end of each page (https://www.sqlite.org/fileformat.html#the_database_header,
/// offset 20). They are written by the last step before the file (`OpenFile`), and verified as pages are read; the
/// page's place is part of the sum, so a page written to the wrong place is found too. A page that doesn't verify reads as
/// `SQLITE_CORRUPT`. The write-ahead log has SQLite's own checksums.
///
/// Databases of schema 1 have no room for it: they are read as they are, and rewritten at the upgrade (`Schema`).
enum PageChecksums {
    /// Of a page, at its end.
    static let byteCount = 8

    /// Two sums over the page but for its last eight bytes, each word in both: what Fletcher's does, in one pass.
    static func checksum(_ page: UnsafeRawBufferPointer, offset: Int64) -> UInt64 {
        var a = 0x9E37_79B9 ^ UInt32(truncatingIfNeeded: offset >> 9)
        var b: UInt32 = 0x5C4D_3E2F
        var place = 0
        while place < page.count - byteCount {
            a &+= UInt32(littleEndian: page.loadUnaligned(fromByteOffset: place, as: UInt32.self)) &+ b
            b &+= UInt32(littleEndian: page.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self)) &+ a
            place += 8
        }
        return UInt64(a) << 32 | UInt64(b)
    }

    static func verifies(_ page: UnsafeRawBufferPointer, offset: Int64) -> Bool {
        let found = page.loadUnaligned(fromByteOffset: page.count - byteCount, as: UInt64.self)
        return UInt64(littleEndian: found) == checksum(page, offset: offset)
    }

    static func seal(_ page: UnsafeMutableRawBufferPointer, offset: Int64) {
        let sum = checksum(UnsafeRawBufferPointer(page), offset: offset)
        page.storeBytes(of: sum.littleEndian, toByteOffset: page.count - byteCount, as: UInt64.self)
    }

    /// SQLite reads and writes whole pages of the file, and a few bytes of the header.
    static func isPage(_ amount: Int32) -> Bool { amount >= 512 && amount & (amount - 1) == 0 }
}
