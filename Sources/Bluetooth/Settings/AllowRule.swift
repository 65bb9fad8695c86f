import Configuration

/// Whom to listen to: one device, or all whose name matches a pattern.
package enum AllowRule: Sendable, Equatable {
    case address(DeviceAddress)
    /// `*` stands for any letters, `?` for one.
    case name(pattern: String)

    /// "A4:C1:38:00:11:22" or "name:ATC_*".
    init?(parsing text: String) {
        if text.hasPrefix("name:") {
            let pattern = text.dropFirst(5)
            guard !pattern.isEmpty else { return nil }
            self = .name(pattern: String(pattern))
        } else {
            guard let address = DeviceAddress(parsing: text) else { return nil }
            self = .address(address)
        }
    }

    var text: String {
        switch self {
        case .address(let address): address.description
        case .name(let pattern): "name:\(pattern)"
        }
    }

    package static var kind: Kind<AllowRule> {
        Kind(
            read: { (node) throws(Refusal) in
                let text = try Kind<String>.text.read(node)
                guard let rule = AllowRule(parsing: text) else {
                    throw Refusal(
                        "\(node.shown) is neither an address (\"A4:C1:38:00:11:22\") nor a name (\"name:ATC_*\")")
                }
                return rule
            },
            write: { .string($0.text) })
    }
}

/// Which devices count. Those with a table of their own always do.
package struct AllowList: Sendable {
    private let addresses: Set<DeviceAddress>
    private let patterns: [[UInt8]]
    private let isOpen: Bool

    /// Without rules: everybody.
    package init(_ rules: [AllowRule], always: [DeviceAddress] = []) {
        var addresses = Set(always)
        var patterns: [[UInt8]] = []
        for rule in rules {
            switch rule {
            case .address(let address): addresses.insert(address)
            case .name(let pattern): patterns.append(Array(pattern.utf8))
            }
        }
        self.addresses = addresses
        self.patterns = patterns
        isOpen = rules.isEmpty
    }

    package func allows(_ address: DeviceAddress, name: String?) -> Bool {
        if isOpen || addresses.contains(address) { return true }
        guard !patterns.isEmpty, let name else { return false }
        let letters = Array(name.utf8)
        return patterns.contains { Self.matches($0, letters) }
    }

    /// In time of the lengths' product at most: after a mismatch only the last `*` takes one more letter.
    static func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        var p = 0
        var t = 0
        var star: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                p = last.pattern + 1
                t = last.text + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
