/// Puts the values of `--set KEY=VALUE` and of `ROOST_` variables into the tree that the file gave.
struct Overrides {
    /// Names that belong to `roost` and to modules, not to the configuration.
    static let otherVariables: Set<String> = ["ROOST_MQTT_URL", "ROOST_BIN", "ROOST_SOCKET"]

    private let findings: Findings

    init(_ findings: Findings) {
        self.findings = findings
    }

    /// `ROOST_STORE__BUDGET=2GiB`: two underscores between the levels, numbers are indexes.
    func apply(environment: [String: String], to table: inout TOMLTable) {
        let variables = environment.keys.filter { $0.hasPrefix("ROOST_") && !Self.isOther($0) }
        let paths = variables.map { (name: $0, path: Self.levels(of: $0)) }
        // In order of their indexes, so that each can create the next item.
        for (name, path) in paths.sorted(by: { Self.comesBefore($0.path, $1.path) }) {
            guard !path.contains(""), path.count < TOMLParser.maximumDepth else {
                findings.report(
                    "not a setting's name (ROOST_STORE__BUDGET is store.budget)", at: .variable(name), path: [])
                continue
            }
            put(environment[name] ?? "", at: path, .variable(name), in: &table)
        }
    }

    /// In the order in which they were given.
    func apply(options: [(key: String, value: String)], to table: inout TOMLTable) {
        for (key, value) in options {
            do throws(TOMLError) {
                put(value, at: try TOMLParser.key(key), .option(key), in: &table)
            } catch {
                findings.report("not a setting's name: \(error.message)", at: .option(key), path: [])
            }
        }
    }

    /// Kubernetes adds ROOST_SERVICE_HOST, ROOST_PORT_1883_TCP and their like where a service is called roost.
    private static func isOther(_ variable: String) -> Bool {
        otherVariables.contains(variable) || variable.hasPrefix("ROOST_SERVICE_") || variable == "ROOST_PORT"
            || variable.hasPrefix("ROOST_PORT_")
    }

    private static func levels(of variable: String) -> [String] {
        var levels: [String] = [""]
        var rest = variable.dropFirst("ROOST_".count).lowercased()[...]
        while let first = rest.first {
            // A third underscore would belong to the next level's name.
            if rest.hasPrefix("__") {
                levels.append("")
                rest = rest.dropFirst(2)
            } else {
                levels[levels.count - 1].append(first)
                rest = rest.dropFirst()
            }
        }
        return levels
    }

    private static func comesBefore(_ a: [String], _ b: [String]) -> Bool {
        for (x, y) in zip(a, b) where x != y {
            if let x = Int(x), let y = Int(y) { return x < y }
            return x < y
        }
        return a.count < b.count
    }

    private func put(_ text: String, at path: [String], _ origin: TOMLOrigin, in table: inout TOMLTable) {
        do throws(Refusal) {
            let value = Self.value(text)
            let node = TOMLNode(value, origin: origin, raw: text)
            try put(Self.moved(node, to: origin), at: path[...], shown: "", origin, in: &table)
        } catch {
            findings.report(error.message, at: origin, path: [])
        }
    }

    /// As TOML if it is, else the text itself.
    private static func value(_ text: String) -> TOMLValue {
        do throws(TOMLError) {
            return try TOMLParser.value(text).value
        } catch {
            return .string(text)
        }
    }

    /// Everything inside an overriding value comes from where that comes from.
    private static func moved(_ node: TOMLNode, to origin: TOMLOrigin) -> TOMLNode {
        var node = node
        node.origin = origin
        switch node.value {
        case .array(let items): node.value = .array(items.map { moved($0, to: origin) })
        case .table(let table):
            var result = TOMLTable()
            for entry in table.entries { result.set(entry.key, moved(entry.node, to: origin), origin: origin) }
            node.value = .table(result)
        default: break
        }
        return node
    }

    private func put(
        _ node: TOMLNode, at path: ArraySlice<String>, shown: String, _ origin: TOMLOrigin, in table: inout TOMLTable
    ) throws(Refusal) {
        guard let key = path.first else { return }
        let rest = path.dropFirst()
        guard let next = rest.first else { return table.set(key, node, origin: origin) }
        let empty: TOMLValue = Int(next) == nil ? .table(TOMLTable()) : .array([])
        var child = table[key] ?? TOMLNode(empty, origin: origin)
        try put(node, at: rest, shown: shown.isEmpty ? key : "\(shown).\(key)", origin, into: &child)
        table.set(key, child, origin: table.entry(key)?.origin ?? origin)
    }

    private func put(
        _ node: TOMLNode, at path: ArraySlice<String>, shown: String, _ origin: TOMLOrigin, into child: inout TOMLNode
    ) throws(Refusal) {
        guard let key = path.first else {
            child = node
            return
        }
        switch child.value {
        case .table(var inner):
            try put(node, at: path, shown: shown, origin, in: &inner)
            child.value = .table(inner)
        case .array(var items):
            guard let index = Int(key), index >= 0 else {
                throw Refusal("\(shown) is an array: its items are \(shown).0, \(shown).1 and so on")
            }
            guard index <= items.count else {
                throw Refusal(
                    "\(shown) has \(items.count) item\(items.count == 1 ? "" : "s"), the next is \(shown).\(items.count)"
                )
            }
            let rest = path.dropFirst()
            if index == items.count {
                let empty: TOMLValue = rest.first.flatMap { Int($0) } == nil ? .table(TOMLTable()) : .array([])
                items.append(TOMLNode(empty, origin: origin))
            }
            try put(node, at: rest, shown: "\(shown).\(index)", origin, into: &items[index])
            child.value = .array(items)
        default: throw Refusal("\(shown) is not a table")
        }
    }
}
