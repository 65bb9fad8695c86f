/// Fills settings from a table, notes where each key was found, and reports keys that no field names.
struct FieldsReader: Fields {
    private let table: TOMLTable
    private let path: [String]
    private let findings: Findings
    private var known: [String] = []
    private var takesRest = false

    /// Fills `settings` from `table`; keys that are not given keep the value they have.
    static func read(_ settings: inout some SettingsTable, from table: TOMLTable, path: [String], _ findings: Findings)
    {
        var reader = FieldsReader(table, path, findings)
        settings.visit(&reader)
        reader.reportUnknownKeys()
    }

    private init(_ table: TOMLTable, _ path: [String], _ findings: Findings) {
        self.table = table
        self.path = path
        self.findings = findings
    }

    mutating func value<V>(_ key: String, _ value: inout V, _ kind: Kind<V>) {
        guard let node = take(key) else { return }
        do throws(Refusal) {
            value = try kind.read(node)
        } catch {
            findings.report(error.message, at: error.origin ?? node.origin, path: path + [key])
        }
    }

    mutating func table<T: SettingsTable>(_ key: String, _ value: inout T) {
        guard let inner = takeTable(key) else { return }
        Self.read(&value, from: inner, path: path + [key], findings)
    }

    mutating func tables<T: SettingsTable>(_ key: String, _ values: inout [T]) {
        guard let node = take(key) else { return }
        guard case .array(let items) = node.value else {
            return findings.report(
                "\(node.shown) is not an array of tables ([[\(name(key))]])", at: node.origin, path: path + [key])
        }
        values = []
        for (index, item) in items.enumerated() {
            let itemPath = path + [key, "\(index)"]
            findings.origins[itemPath.joined(separator: ".")] = item.origin
            guard case .table(let inner) = item.value else {
                findings.report("\(item.shown) is not a table", at: item.origin, path: itemPath)
                continue
            }
            var value = T()
            Self.read(&value, from: inner, path: itemPath, findings)
            values.append(value)
        }
    }

    mutating func limits(_ key: String, _ limits: inout LimitOverrides) {
        guard let inner = takeTable(key) else { return }
        var values = LimitSettings()
        Self.read(&values, from: inner, path: path + [key], findings)
        limits = LimitOverrides(given: Set(inner.entries.map(\.key)), values: values)
    }

    mutating func rest(_ rest: inout TOMLTable) {
        takesRest = true
        rest = TOMLTable()
        for entry in table.entries where !known.contains(entry.key) {
            rest.set(entry.key, entry.node, origin: entry.origin)
            noteOrigins(of: entry.node, at: path + [entry.key], entry.origin)
        }
    }

    /// Who owns the rest may find something wrong with any part of it.
    private func noteOrigins(of node: TOMLNode, at path: [String], _ origin: TOMLOrigin) {
        findings.origins[path.joined(separator: ".")] = origin
        switch node.value {
        case .table(let inner):
            for entry in inner.entries { noteOrigins(of: entry.node, at: path + [entry.key], entry.origin) }
        case .array(let items):
            for (index, item) in items.enumerated() { noteOrigins(of: item, at: path + ["\(index)"], item.origin) }
        default: break
        }
    }

    private mutating func takeTable(_ key: String) -> TOMLTable? {
        guard let node = take(key) else { return nil }
        guard case .table(let inner) = node.value else {
            findings.report("\(node.shown) is not a table ([\(name(key))])", at: node.origin, path: path + [key])
            return nil
        }
        return inner
    }

    private mutating func take(_ key: String) -> TOMLNode? {
        known.append(key)
        guard let entry = table.entry(key) else { return nil }
        findings.origins[(path + [key]).joined(separator: ".")] = entry.node.origin
        return entry.node
    }

    private func name(_ key: String) -> String {
        (path + [key]).filter { Int($0) == nil }.joined(separator: ".")
    }

    private func reportUnknownKeys() {
        guard !takesRest else { return }
        for entry in table.entries where !known.contains(entry.key) {
            let near = Spelling.nearest(to: entry.key, in: known)
            // Without levels it may well be another program's (ROOST_HOME, ROOST_PYTHON), and is no reason not to start.
            if path.isEmpty, case .variable(let name) = entry.origin, !name.contains("__") {
                findings.strangers.append(
                    "\(name) is no setting, and is ignored"
                        + (near.map { "; did you mean ROOST_\($0.uppercased())?" } ?? ""))
                continue
            }
            let message =
                near.map { "unknown key; did you mean \($0)?" }
                ?? "unknown key; there are \(known.joined(separator: ", "))"
            findings.report(message, at: entry.origin, path: path + [entry.key])
        }
    }

}
