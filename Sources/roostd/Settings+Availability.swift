import Configuration

/// What INTERFACE names and this version doesn't do yet. A setting is never silently without effect.
extension Settings {
    /// Settings that have no effect yet, as lines for a person.
    var withoutEffect: [String] {
        var lines: [String] = []
        func note(_ key: String, _ isSet: Bool) {
            if isSet { lines.append("\(key) has no effect in this version") }
        }
        note("loops", loops != .fixed(1))
        return lines
    }
}
