import Bridge
import Configuration

extension Kind where Value == String {
    /// A topic level that the bridge's own topics (`_state`) can't meet.
    static var ownLevel: Kind {
        level.checked { $0.hasPrefix("_") ? "\"\($0)\": names that begin with _ are the bridge's own" : nil }
    }
}

extension Kind where Value == Int {
    static var unit: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                guard case .integer(let number) = node.value, (0...255).contains(number) else {
                    throw Refusal("\(node.shown) is not a unit (0-255)")
                }
                return number
            },
            write: { .integer($0) })
    }
}

extension Kind where Value == Int? {
    static var protocolAddress: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                guard case .integer(let number) = node.value else {
                    throw Refusal("\(node.shown) is not an address (0-65535)")
                }
                guard (0...65_535).contains(number) else {
                    let near =
                        (try? Reference("\(number)")).map { _ in "; reference = \"\(number)\" may be meant" } ?? ""
                    throw Refusal("\(number) is not an address (0-65535)\(near)")
                }
                return number
            },
            write: { $0.map { .integer($0) } ?? .string("") })
    }
}

extension Kind where Value == Duration {
    /// How often something is asked for.
    static var interval: Kind { .time(in: .milliseconds(10) ... .seconds(30 * 86400)) }
}

extension Kind where Value == ConnectionAddress? {
    static var address: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                let text = try Kind<String>.text.read(node)
                do throws(ConnectionAddress.Problem) { return try ConnectionAddress(text) } catch {
                    throw Refusal(error.message)
                }
            },
            write: { .string($0?.description ?? "") })
    }
}

extension Kind where Value == Reference? {
    static var reference: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                if case .integer(let number) = node.value {
                    throw Refusal("\(number) is not a text: in quotes, \"\(number)\"")
                }
                let text = try Kind<String>.text.read(node)
                do throws(Reference.Problem) { return try Reference(text) } catch { throw Refusal(error.message) }
            },
            write: { .string($0?.text ?? "") })
    }
}

extension Kind where Value == ValueType? {
    static var valueType: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                let text = try Kind<String>.text.read(node)
                if let type = ValueType(text) { return type }
                if text.hasPrefix("bit") {
                    throw Refusal("\(node.shown) is not a bit of a register (bit(0) to bit(15))")
                }
                if text.hasPrefix("string") {
                    throw Refusal(
                        "\(node.shown) is not a text's length (string(1) to string(\(ValueType.longestString)))")
                }
                let near = Spelling.nearest(to: text, in: ValueType.names).map { "; did you mean \($0)?" } ?? ""
                throw Refusal("\(node.shown) is not one of \(ValueType.names.joined(separator: ", "))\(near)")
            },
            write: { .string($0?.description ?? "") })
    }
}

extension Kind where Value == DecimalNumber {
    static var decimal: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                let number: DecimalNumber? =
                    switch node.value {
                    case .integer(let whole): DecimalNumber(Int128(whole))
                    case .float(let number): DecimalNumber(shortest: number)
                    default: nil
                    }
                guard let number else { throw Refusal("\(node.shown) is not a number") }
                return number
            },
            write: {
                $0.places == 0 ? Int(exactly: $0.digits).map { .integer($0) } ?? .float($0.double) : .float($0.double)
            })
    }
}

extension Kind where Value == ChangeGate.Deadband? {
    /// 0.5, or "2%"; 0 is none.
    static var deadband: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                let refusal = Refusal("\(node.shown) is not a deadband (0.5, or \"2%\")")
                switch node.value {
                case .integer(let number) where number >= 0: return number == 0 ? nil : .absolute(Double(number))
                case .float(let number) where number >= 0 && number.isFinite:
                    return number == 0 ? nil : .absolute(number)
                case .string(let text) where text.hasSuffix("%"):
                    guard let number = Double(text.dropLast()), number >= 0, number.isFinite else { throw refusal }
                    return .percent(number)
                default: throw refusal
                }
            },
            write: { deadband in
                switch deadband {
                case nil: .integer(0)
                case .absolute(let number): .float(number)
                case .percent(let number): .string("\(number)%")
                }
            })
    }
}

extension Kind where Value == [Int128: String] {
    /// `{ 0 = "off", 1 = "on" }`.
    static var names: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                let texts = try Kind<[String: String]>.textTable.read(node)
                var names: [Int128: String] = [:]
                for (key, text) in texts.sorted(by: { $0.key < $1.key }) {
                    guard let number = Int128(key) else {
                        throw Refusal("\(key) is not a whole number ({ 0 = \"off\", 1 = \"on\" })")
                    }
                    guard !names.values.contains(text) else {
                        throw Refusal("\"\(text)\" stands for two numbers: a write could mean either")
                    }
                    names[number] = text
                }
                return names
            },
            write: { names in
                let texts = Dictionary(uniqueKeysWithValues: names.map { ("\($0.key)", $0.value) })
                return Kind<[String: String]>.textTable.write(texts)
            })
    }
}
