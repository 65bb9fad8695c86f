/// Values: what a byte begins, arrays and inline tables.
extension TOMLParser {
    mutating func value(depth: Int) throws(TOMLError) -> TableBuilder.Value {
        guard depth < Self.maximumDepth else { throw error(.tooDeep) }
        let begin = origin
        func node(_ value: TOMLValue) -> TableBuilder.Value {
            .init(item: .node(TOMLNode(value, origin: begin)), origin: begin)
        }
        switch peek() {
        case nil, 0x0A, 0x0D, UInt8(ascii: "#"): throw error(.expected("a value"))
        case UInt8(ascii: "\""):
            return node(.string(follows("\"\"\"") ? try multilineBasicString() : try basicString()))
        case UInt8(ascii: "'"):
            return node(.string(follows("'''") ? try multilineLiteralString() : try literalString()))
        case UInt8(ascii: "["): return .init(item: .array(try array(depth: depth)), origin: begin)
        case UInt8(ascii: "{"): return .init(item: .table(try inlineTable(depth: depth)), origin: begin)
        default: return node(try scalar())
        }
    }

    private mutating func array(depth: Int) throws(TOMLError) -> [TableBuilder.Value] {
        var items: [TableBuilder.Value] = []
        place += 1
        while true {
            try skipBlankLines()
            if take("]") { return items }
            items.append(try value(depth: depth + 1))
            try skipBlankLines()
            if take(",") { continue }
            guard take("]") else { throw error(.expected(", or ]")) }
            return items
        }
    }

    /// On one line, without a comma behind the last.
    private mutating func inlineTable(depth: Int) throws(TOMLError) -> TableBuilder {
        let table = TableBuilder(.header, origin: origin)
        place += 1
        skipBlanks()
        if !take("}") {
            repeat {
                skipBlanks()
                try keyAndValue(into: table, depth: depth + 1)
                skipBlanks()
            } while take(",")
            guard take("}") else { throw error(.expected(", or }")) }
        }
        table.close()
        return table
    }

    /// Booleans, numbers, dates and times: everything up to the next delimiter.
    private mutating func scalar() throws(TOMLError) -> TOMLValue {
        let begin = origin
        let start = place
        while let byte = peek(), Self.isScalarByte(byte) { place += 1 }
        // A date and a time may stand apart by one space.
        if place - start == 10, peek() == 0x20, let next = peek(1), Self.isDigit(next), bytes[start + 4] == Self.dash {
            place += 1
            while let byte = peek(), Self.isScalarByte(byte) { place += 1 }
        }
        let word = text(from: start)
        switch word {
        case "": throw error(.unknownValue(character()))
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        default:
            do throws(TOMLError.Reason) {
                let digits = Array(bytes[start..<place])
                if let date = try TOMLScalar.date(digits, word) { return date }
                return try TOMLScalar.number(digits, word)
            } catch {
                throw self.error(error, at: begin)
            }
        }
    }

    private func character() -> String {
        String(decoding: bytes[place...].prefix(4), as: UTF8.self).prefix(1).description
    }

    private static let dash = UInt8(ascii: "-")

    static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isScalarByte(_ byte: UInt8) -> Bool {
        isBareKeyByte(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
    }
}
