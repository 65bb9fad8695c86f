/// Writes settings as a TOML table.
struct FieldsPrinter: Fields {
    private var result = TOMLTable()
    private let masking: Bool
    /// The only keys to write, nil: all.
    private var only: Set<String>?

    static func table(of settings: some SettingsTable, masking: Bool, only: Set<String>? = nil) -> TOMLTable {
        var printer = FieldsPrinter(masking: masking, only: only)
        var settings = settings
        settings.visit(&printer)
        return printer.result
    }

    private init(masking: Bool, only: Set<String>?) {
        self.masking = masking
        self.only = only
    }

    mutating func value<V>(_ key: String, _ value: inout V, _ kind: Kind<V>) {
        guard only?.contains(key) ?? true else { return }
        result.put(key, kind.write(masking ? kind.mask(value) : value))
    }

    mutating func table<T: SettingsTable>(_ key: String, _ value: inout T) {
        result.put(key, .table(Self.table(of: value, masking: masking)))
    }

    mutating func tables<T: SettingsTable>(_ key: String, _ values: inout [T]) {
        guard !values.isEmpty else { return }
        let nowhere = TOMLOrigin.file(line: 0, column: 0)
        let items = values.map { TOMLNode(.table(Self.table(of: $0, masking: masking)), origin: nowhere) }
        result.put(key, .array(items))
    }

    mutating func limits(_ key: String, _ limits: inout LimitOverrides) {
        guard !limits.isEmpty else { return }
        result.put(key, .table(Self.table(of: limits.values, masking: masking, only: limits.given)))
    }

    mutating func rest(_ rest: inout TOMLTable) {
        for entry in (masking ? Secrets.masked(rest) : rest).entries {
            result.set(entry.key, entry.node, origin: entry.origin)
        }
    }
}
