/// A kind of value: how it is read from TOML and written back.
package struct Kind<Value> {
    package let read: (TOMLNode) throws(Refusal) -> Value
    package let write: (Value) -> TOMLValue
    /// What is printed in the place of a secret.
    var mask: (Value) -> Value

    package init(
        read: @escaping (TOMLNode) throws(Refusal) -> Value, write: @escaping (Value) -> TOMLValue,
        mask: @escaping (Value) -> Value = { $0 }
    ) {
        self.read = read
        self.write = write
        self.mask = mask
    }
}

extension Kind where Value == String {
    package static var text: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                if let raw = node.raw, !node.isStringOrCollection { return raw }
                guard case .string(let text) = node.value else {
                    throw Refusal("\(node.shown) is not a text (in quotes)")
                }
                guard !text.unicodeScalars.contains("\0") else { throw Refusal("a text may not contain U+0000") }
                return text
            },
            write: { .string($0) })
    }

    /// Not empty.
    package static var requiredText: Kind {
        text.checked { $0.isEmpty ? "may not be empty" : nil }
    }

    /// Text that stands for one level of a topic.
    package static var level: Kind {
        text.checked(Topics.levelProblem)
    }

    package static var topicFilter: Kind {
        text.checked(Topics.filterProblem)
    }

    /// A Topic Name, in which placeholders may stand.
    package static var topicName: Kind {
        text.checked(Topics.nameProblem)
    }

    /// `$6$` or `$7$` with salt and hash, as mosquitto_passwd writes them.
    package static var passwordHash: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                if case .string(let text) = node.value {
                    if text.isEmpty || ["$7$", "$6$", "SCRAM-SHA-256$"].contains(where: text.hasPrefix) { return text }
                }
                // Without the value: who put a password here in the clear would read it in a log.
                throw Refusal("is not a password hash ($7$...): make one with `roost passwd`")
            },
            write: { .string($0) },
            mask: { $0.isEmpty ? "" : "$7$masked" })
    }

    /// The same kind with a further condition: nil, or what is wrong.
    package func checked(_ problem: @escaping (String) -> String?) -> Kind {
        Kind(
            read: { [read] (node) throws(Refusal) in
                let text = try read(node)
                if let message = problem(text) { throw Refusal(message) }
                return text
            }, write: write)
    }
}

extension Kind where Value == Bool {
    package static var flag: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                guard case .boolean(let flag) = node.value else {
                    throw Refusal("\(node.shown) is not true or false")
                }
                return flag
            },
            write: { .boolean($0) })
    }
}

extension Kind where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
    /// One of a closed set of words.
    package static func word() -> Kind {
        Kind(
            read: { (node) throws(Refusal) in
                if case .string(let text) = node.value, let word = Value(rawValue: text) { return word }
                let words = Value.allCases.map(\.rawValue)
                guard case .string(let text) = node.value, let near = Spelling.nearest(to: text, in: words) else {
                    throw Refusal("\(node.shown) is not one of \(words.joined(separator: ", "))")
                }
                throw Refusal("\(node.shown) is not one of \(words.joined(separator: ", ")); did you mean \(near)?")
            },
            write: { .string($0.rawValue) })
    }
}

extension Kind where Value: CaseIterable & RawRepresentable, Value.RawValue == Int {
    /// One of a closed set of numbers.
    package static func number() -> Kind {
        Kind(
            read: { (node) throws(Refusal) in
                if case .integer(let number) = node.value, let value = Value(rawValue: number) { return value }
                let numbers = Value.allCases.map { "\($0.rawValue)" }.joined(separator: ", ")
                throw Refusal("\(node.shown) is not one of \(numbers)")
            },
            write: { .integer($0.rawValue) })
    }
}

extension Kind {
    /// nil is written as the empty text.
    package static func optional<Wrapped>(_ kind: Kind<Wrapped>) -> Kind where Value == Wrapped? {
        Kind(
            read: { (node) throws(Refusal) in
                node.value == .string("") ? nil : try kind.read(node)
            },
            write: { $0.map(kind.write) ?? .string("") })
    }

    package static func list<Item>(of kind: Kind<Item>) -> Kind where Value == [Item] {
        Kind(
            read: { (node) throws(Refusal) in
                guard case .array(let items) = node.value else {
                    throw Refusal("\(node.shown) is not an array ([\"...\", \"...\"])")
                }
                var result: [Item] = []
                for item in items {
                    do throws(Refusal) {
                        result.append(try kind.read(item))
                    } catch {
                        throw Refusal(error.message, origin: error.origin ?? item.origin)
                    }
                }
                return result
            },
            write: { .array($0.map { TOMLNode(kind.write($0), origin: .file(line: 0, column: 0)) }) })
    }
}

extension Kind where Value == [String: String] {
    package static var textTable: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                guard case .table(let table) = node.value else {
                    throw Refusal("\(node.shown) is not a table ({ name = \"text\" })")
                }
                var result: [String: String] = [:]
                for entry in table.entries {
                    do throws(Refusal) {
                        result[entry.key] = try Kind<String>.text.read(entry.node)
                    } catch {
                        throw Refusal("\(entry.key): \(error.message)", origin: entry.node.origin)
                    }
                }
                return result
            },
            write: { texts in
                var table = TOMLTable()
                for (key, text) in texts.sorted(by: { $0.key < $1.key }) { table.put(key, .string(text)) }
                return .table(table)
            })
    }

    /// A table in which names that sound like secrets are masked.
    package static var secretTable: Kind {
        var kind = textTable
        kind.mask = { texts in
            Dictionary(uniqueKeysWithValues: texts.map { ($0.key, Secrets.isSecret($0.key) ? Secrets.mask : $0.value) })
        }
        return kind
    }
}

extension TOMLNode {
    fileprivate var isStringOrCollection: Bool {
        switch value {
        case .string, .array, .table: true
        default: false
        }
    }
}

extension TOMLTable {
    /// For tables that are made to be printed.
    mutating func put(_ key: String, _ value: TOMLValue) {
        let nowhere = TOMLOrigin.file(line: 0, column: 0)
        set(key, TOMLNode(value, origin: nowhere), origin: nowhere)
    }
}
