/// What rows of each table look like: a page that nothing points to doesn't say whose it is, but no two of our tables have
/// rows of the same columns, save `quarantine`, which has the log's.
struct RowShape: Sendable {
    enum Column: Sendable {
        case integer, blob, text
        /// NULL, in the record, where the rowid has the value.
        case key
        indirect case optional(Column)

        func fits(_ value: RawValue) -> Bool {
            switch (self, value) {
            case (.integer, .integer), (.blob, .blob), (.text, .text), (.key, .null): true
            case (.optional, .null): true
            case (.optional(let column), _): column.fits(value)
            default: false
            }
        }
    }

    let name: String
    let columns: [Column]
    let hasRowid: Bool
    /// A row that was deleted and comes back does no harm: for pages of which nobody knows whether they are in use.
    let isHarmlessWhenOld: Bool

    static let all: [RowShape] = [
        RowShape(
            "run", [.key, .integer, .text, .integer, .integer, .integer, .integer, .integer, .integer], old: true),
        RowShape(
            "stream",
            [
                .key, .optional(.text), .optional(.blob), .integer, .integer, .integer, .integer, .integer, .integer,
                .integer, .integer, .integer,
            ], old: true),
        RowShape("session", [.key, .blob, .blob, .integer, .optional(.integer)], old: true),
        RowShape("subscription", [.integer, .blob, .integer, .integer, .integer, .integer, .integer], rowid: false),
        RowShape("position", [.integer, .integer, .integer, .blob], rowid: false),
        RowShape("inbound", [.integer, .integer], rowid: false),
        RowShape("outbound", [.integer, .integer, .integer, .integer, .integer], rowid: false),
        RowShape("retained", [.key, .blob, .integer, .integer, .blob]),
        RowShape("state", [.integer, .blob, .blob], rowid: false),
        RowShape("segment", [.key, .integer, .integer, .integer, .optional(.integer), .integer, .blob, .blob]),
        RowShape(
            "quarantine",
            [
                .key, .optional(.integer), .optional(.integer), .optional(.integer), .optional(.integer),
                .optional(.integer), .optional(.blob), .optional(.blob),
            ]),
    ]

    private init(_ name: String, _ columns: [Column], rowid: Bool = true, old: Bool = false) {
        self.name = name
        self.columns = columns
        hasRowid = rowid
        isHarmlessWhenOld = old
    }

    static func of(_ row: RawCells.Row) -> RowShape? {
        all.first { shape in
            shape.hasRowid == (row.rowid != nil) && shape.columns.count == row.values.count
                && zip(shape.columns, row.values).allSatisfy { $0.fits($1) }
        }
    }
}
