import Configuration

/// A topic with places for names: `modbus/{connection}/{device}/{point}`.
package struct TopicTemplate: Equatable, Sendable {
    package let text: String
    private let parts: [Part]

    private enum Part: Equatable, Sendable {
        case text(String)
        case name(String)
    }

    package struct Problem: Error {
        package var message: String
    }

    /// - Parameter names: those that may stand in it, without braces.
    package init(_ text: String, names: [String]) throws(Problem) {
        self.text = text
        var parts: [Part] = []
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            if open != rest.startIndex { parts.append(.text(String(rest[..<open]))) }
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw Problem(message: "\"\(text)\": { without }")
            }
            let name = String(rest[rest.index(after: open)..<close])
            guard names.contains(name) else {
                let known = names.map { "{\($0)}" }.joined(separator: ", ")
                throw Problem(message: "{\(name)} is not a placeholder here (\(known))")
            }
            parts.append(.name(name))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { parts.append(.text(String(rest))) }
        self.parts = parts
    }

    /// The topic; names that aren't given are left out.
    package func topic(_ names: [String: String]) -> String {
        parts.map { part in
            switch part {
            case .text(let text): text
            case .name(let name): names[name] ?? ""
            }
        }.joined()
    }

    package func contains(_ name: String) -> Bool { parts.contains(.name(name)) }
}
