/// Keys, headers and the rules of redefinition.
extension TOMLParser {
    /// One part of a dotted key.
    struct KeyPart {
        let name: String
        let origin: TOMLOrigin
    }

    static func isBareKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// `a.b."c"`, with the spaces behind it.
    mutating func dottedKey(depth: Int) throws(TOMLError) -> [KeyPart] {
        var parts: [KeyPart] = []
        repeat {
            skipBlanks()
            guard depth + parts.count < Self.maximumDepth else { throw error(.tooDeep) }
            parts.append(try keyPart())
            skipBlanks()
        } while take(".")
        return parts
    }

    private mutating func keyPart() throws(TOMLError) -> KeyPart {
        let begin = origin
        switch peek() {
        case UInt8(ascii: "\"") where !follows("\"\"\""): return KeyPart(name: try basicString(), origin: begin)
        case UInt8(ascii: "'") where !follows("'''"): return KeyPart(name: try literalString(), origin: begin)
        default:
            let start = place
            while let byte = peek(), Self.isBareKeyByte(byte) { place += 1 }
            guard place > start else { throw error(.expected("a key")) }
            return KeyPart(name: text(from: start), origin: begin)
        }
    }

    /// `key = value`
    mutating func keyAndValue(into table: TableBuilder, depth: Int) throws(TOMLError) {
        var parts = try dottedKey(depth: depth)
        guard take("=") else { throw error(.expected("=")) }
        skipBlanks()
        let depth = depth + parts.count
        let last = parts.removeLast()
        var target = table
        for part in parts {
            target = try dottedTable(part, in: target)
        }
        guard target[last.name] == nil else { throw error(.duplicateKey(last.name), at: last.origin) }
        target.set(last.name, try value(depth: depth), keyOrigin: last.origin)
    }

    /// A table on the way of a dotted key: new, or made by another dotted key.
    private func dottedTable(_ part: KeyPart, in table: TableBuilder) throws(TOMLError) -> TableBuilder {
        switch table[part.name]?.item {
        case nil:
            let made = TableBuilder(.dotted, origin: part.origin)
            table.set(part.name, .init(item: .table(made), origin: part.origin), keyOrigin: part.origin)
            return made
        case .table(let found):
            guard found.making == .dotted else { throw error(.closedTable(part.name), at: part.origin) }
            return found
        case .tables, .array: throw error(.closedArray(part.name), at: part.origin)
        case .node: throw error(.notATable(part.name), at: part.origin)
        }
    }

    /// `[a.b]` or `[[a.b]]`: the table that the next keys belong to, and how deep it is.
    mutating func header(_ root: TableBuilder) throws(TOMLError) -> (TableBuilder, Int) {
        let begin = origin
        place += 1
        let isArray = take("[")
        var parts = try dottedKey(depth: isArray ? 2 : 1)
        guard isArray ? take("]") && take("]") : take("]") else { throw error(.expected(isArray ? "]]" : "]")) }
        let depth = parts.count + (isArray ? 2 : 1)
        let last = parts.removeLast()
        var parent = root
        for part in parts {
            parent = try impliedTable(part, in: parent)
        }
        let table = isArray ? try newItem(last, in: parent, begin) : try newTable(last, in: parent, begin)
        return (table, depth)
    }

    /// A table on the way of a header: any but an inline one; of an array of tables the last.
    private func impliedTable(_ part: KeyPart, in table: TableBuilder) throws(TOMLError) -> TableBuilder {
        switch table[part.name]?.item {
        case nil:
            let made = TableBuilder(.implied, origin: part.origin)
            table.set(part.name, .init(item: .table(made), origin: part.origin), keyOrigin: part.origin)
            return made
        case .table(let found):
            guard found.making != .inline else { throw error(.closedTable(part.name), at: part.origin) }
            return found
        case .tables(let list):
            guard let last = list.tables.last else { throw error(.notATable(part.name), at: part.origin) }
            return last
        case .array: throw error(.closedArray(part.name), at: part.origin)
        case .node: throw error(.notATable(part.name), at: part.origin)
        }
    }

    private func newTable(
        _ part: KeyPart, in table: TableBuilder, _ begin: TOMLOrigin
    ) throws(TOMLError) -> TableBuilder {
        switch table[part.name]?.item {
        case nil:
            let made = TableBuilder(.header, origin: begin)
            table.set(part.name, .init(item: .table(made), origin: begin), keyOrigin: part.origin)
            return made
        case .table(let found):
            guard found.making == .implied else { throw error(.duplicateTable(part.name), at: part.origin) }
            found.making = .header
            return found
        case .tables, .array, .node: throw error(.duplicateKey(part.name), at: part.origin)
        }
    }

    private func newItem(
        _ part: KeyPart, in table: TableBuilder, _ begin: TOMLOrigin
    ) throws(TOMLError) -> TableBuilder {
        let made = TableBuilder(.header, origin: begin)
        switch table[part.name]?.item {
        case nil:
            table.set(part.name, .init(item: .tables(TableList(made)), origin: begin), keyOrigin: part.origin)
        case .tables(let list): list.tables.append(made)
        case .array: throw error(.closedArray(part.name), at: part.origin)
        case .table: throw error(.duplicateTable(part.name), at: part.origin)
        case .node: throw error(.duplicateKey(part.name), at: part.origin)
        }
        return made
    }
}
