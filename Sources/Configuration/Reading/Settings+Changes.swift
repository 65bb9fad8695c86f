extension Settings {
    /// The keys (`listener.0.bind`) whose values differ from another's, in alphabetical order: what a reload changes.
    public func changedKeys(from other: Settings) -> [String] {
        let new = Self.leaves(FieldsPrinter.table(of: self, masking: false), "")
        let old = Self.leaves(FieldsPrinter.table(of: other, masking: false), "")
        return Set(new.keys).union(old.keys).filter { new[$0] != old[$0] }.sorted()
    }

    private static func leaves(_ table: TOMLTable, _ prefix: String) -> [String: TOMLValue] {
        var result: [String: TOMLValue] = [:]
        for entry in table.entries {
            result.merge(leaves(entry.node, prefix + entry.key)) { first, _ in first }
        }
        return result
    }

    private static func leaves(_ node: TOMLNode, _ path: String) -> [String: TOMLValue] {
        switch node.value {
        case .table(let inner): return leaves(inner, path + ".")
        case .array(let items):
            guard case .table? = items.first?.value else { return [path: node.value] }
            var result: [String: TOMLValue] = [:]
            for (index, item) in items.enumerated() {
                result.merge(leaves(item, "\(path).\(index)")) { first, _ in first }
            }
            return result
        default: return [path: node.value]
        }
    }
}
