import Configuration
import Glibc
import JSON

/// What roostd gives a module at its start: who it is, and its table (docs/modules.md).
package struct ModuleInput {
    /// The module's name in the configuration.
    package var module: String
    /// The node's id.
    package var node: String
    /// The part of its `[[module]]` that is the module's own.
    package var table: TOMLTable

    package struct Unusable: Error {
        package var message: String
    }

    /// From the environment and standard input, which is read to its end.
    package static func take() throws(Unusable) -> ModuleInput {
        func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }
        return ModuleInput(
            module: variable("ROOST_MODULE"), node: variable("ROOST_NODE"), table: try table(from: readAll()))
    }

    /// A `[[module]]` table as JSON.
    package static func table(from bytes: [UInt8]) throws(Unusable) -> TOMLTable {
        guard let json = JSON(bytes), case .table(let table)? = TOMLValue(json) else {
            throw Unusable(
                message: "standard input has no table of a module; roostd starts this program (docs/modules.md)")
        }
        return table
    }

    private static func readAll() throws(Unusable) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Unusable(message: "standard input: \(String(cString: strerror(errno)))") }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }
}

extension TOMLValue {
    /// nil: TOML has no such value (null, or a number beyond its range).
    package init?(_ json: JSON) {
        let nowhere = TOMLOrigin.file(line: 0, column: 0)
        switch json {
        case .null: return nil
        case .boolean(let flag): self = .boolean(flag)
        case .string(let text): self = .string(text)
        case .number(let number):
            if let whole = Int(number.literal) { self = .integer(whole) } else { self = .float(number.double) }
        case .array(let items):
            var nodes: [TOMLNode] = []
            for item in items {
                guard let value = TOMLValue(item) else { return nil }
                nodes.append(TOMLNode(value, origin: nowhere))
            }
            self = .array(nodes)
        case .object(let members):
            var table = TOMLTable()
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                guard let value = TOMLValue(member) else { return nil }
                table.set(key, TOMLNode(value, origin: nowhere), origin: nowhere)
            }
            self = .table(table)
        }
    }
}
