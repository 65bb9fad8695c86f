/// A table while the document is read: what may still be added to it depends on how it came to be.
final class TableBuilder {
    /// How a table came to be (TOML 1.0, "Table").
    enum Making {
        /// On the way to a header's table: may be given a header of its own later.
        case implied
        /// Has its header.
        case header
        /// On the way of a dotted key: takes more dotted keys, but no header.
        case dotted
        /// `{ }`: complete.
        case inline
    }

    enum Item {
        case node(TOMLNode)
        case table(TableBuilder)
        /// `[ ]` with tables or arrays inside, or anything else: complete.
        case array([Value])
        /// `[[ ]]`
        case tables(TableList)
    }

    /// An item and where it was written.
    struct Value {
        var item: Item
        var origin: TOMLOrigin
    }

    var making: Making
    /// Where it begins: its header's, its brace's or its first key's place.
    let origin: TOMLOrigin
    private(set) var keys: [(name: String, origin: TOMLOrigin)] = []
    private var values: [String: Value] = [:]

    init(_ making: Making, origin: TOMLOrigin) {
        self.making = making
        self.origin = origin
    }

    subscript(key: String) -> Value? { values[key] }

    /// Puts a value under a new key, or another in the place of an old one.
    func set(_ key: String, _ value: Value, keyOrigin: TOMLOrigin) {
        if values.updateValue(value, forKey: key) == nil { keys.append((key, keyOrigin)) }
    }

    func frozen() -> TOMLTable {
        var table = TOMLTable()
        for (name, origin) in keys {
            guard let value = values[name] else { continue }
            table.set(name, value.frozen(), origin: origin)
        }
        return table
    }
}

extension TableBuilder.Value {
    /// The finished value. The depth was bounded when it was built.
    func frozen() -> TOMLNode {
        switch item {
        case .node(let node): node
        case .table(let table): TOMLNode(.table(table.frozen()), origin: origin)
        case .array(let values): TOMLNode(.array(values.map { $0.frozen() }), origin: origin)
        case .tables(let list):
            TOMLNode(.array(list.tables.map { TOMLNode(.table($0.frozen()), origin: $0.origin) }), origin: origin)
        }
    }
}

extension TableBuilder {
    /// Makes an inline table complete, with all tables that its dotted keys made.
    func close() {
        making = .inline
        for (name, _) in keys {
            if case .table(let inner) = self[name]?.item, inner.making != .inline { inner.close() }
        }
    }
}

/// The tables of `[[ ]]` headers of one name so far.
final class TableList {
    var tables: [TableBuilder]

    init(_ first: TableBuilder) {
        tables = [first]
    }
}
