/// Which values are never shown.
enum Secrets {
    static let mask = "(masked)"

    /// Whether a name of a table that is not ours sounds like a secret; a path to one is none.
    static func isSecret(_ key: String) -> Bool {
        let name = key.lowercased()
        guard !name.hasSuffix("_file"), !name.hasSuffix("_path") else { return false }
        let words = name.split(whereSeparator: { !$0.isLetter })
        return words.contains { ["password", "passwd", "passphrase", "secret", "token", "key"].contains($0) }
    }

    /// The table with its secrets masked, at every depth.
    static func masked(_ table: TOMLTable) -> TOMLTable {
        var result = TOMLTable()
        for entry in table.entries {
            let value = isSecret(entry.key) ? .string(mask) : masked(entry.node.value)
            result.set(entry.key, TOMLNode(value, origin: entry.node.origin), origin: entry.origin)
        }
        return result
    }

    private static func masked(_ value: TOMLValue) -> TOMLValue {
        switch value {
        case .table(let table): .table(masked(table))
        case .array(let items): .array(items.map { TOMLNode(masked($0.value), origin: $0.origin) })
        default: value
        }
    }
}
