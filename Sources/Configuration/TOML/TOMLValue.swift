/// Where a key or a value was written.
public enum TOMLOrigin: Sendable, Hashable {
    /// Line and column (in bytes) of the file, both from 1.
    case file(line: Int, column: Int)
    /// The key of a `--set` option.
    case option(String)
    /// The name of an environment variable.
    case variable(String)
}

/// A value of TOML 1.0. Dates and times are kept as they were written.
public enum TOMLValue: Sendable, Equatable {
    case string(String)
    case integer(Int)
    case float(Double)
    case boolean(Bool)
    case offsetDateTime(String)
    case localDateTime(String)
    case localDate(String)
    case localTime(String)
    case array([TOMLNode])
    case table(TOMLTable)
}

/// A value and where it was written. Two nodes are equal when their values are, wherever they stand.
public struct TOMLNode: Sendable, Equatable {
    public var value: TOMLValue
    public var origin: TOMLOrigin
    /// The text of an option or variable as it was given, which may be meant as a text whatever it looks like.
    public var raw: String?

    public init(_ value: TOMLValue, origin: TOMLOrigin, raw: String? = nil) {
        self.value = value
        self.origin = origin
        self.raw = raw
    }

    public static func == (left: TOMLNode, right: TOMLNode) -> Bool { left.value == right.value }
}

/// A table whose keys keep their order. Two tables are equal when they have equal values under the same keys, in
/// whatever order.
public struct TOMLTable: Sendable, Equatable {
    /// A key, where it was written, and its value.
    public struct Entry: Sendable {
        public var key: String
        public var origin: TOMLOrigin
        public var node: TOMLNode
    }

    public private(set) var entries: [Entry] = []
    private var places: [String: Int] = [:]

    public init() {}

    public var isEmpty: Bool { entries.isEmpty }

    public subscript(key: String) -> TOMLNode? {
        places[key].map { entries[$0].node }
    }

    public func entry(_ key: String) -> Entry? {
        places[key].map { entries[$0] }
    }

    /// Adds a key, or gives an old one a new value and origin in its old place.
    public mutating func set(_ key: String, _ node: TOMLNode, origin: TOMLOrigin) {
        if let place = places[key] {
            entries[place].node = node
            entries[place].origin = origin
        } else {
            places[key] = entries.count
            entries.append(Entry(key: key, origin: origin, node: node))
        }
    }

    public static func == (left: TOMLTable, right: TOMLTable) -> Bool {
        left.entries.count == right.entries.count && left.entries.allSatisfy { right[$0.key] == $0.node }
    }
}

extension TOMLNode {
    /// The value as a message to a person shows it: short, on one line.
    public var shown: String {
        switch value {
        case .string(let text): TOMLPrinter.quoted(text.count > 80 ? String(text.prefix(77)) + "..." : text)
        case .array: "an array"
        case .table: "a table"
        default: TOMLPrinter.inline(value)
        }
    }
}
