import Configuration

/// What INTERFACE names and this version doesn't do yet. A setting is never silently without effect: where somebody could
/// come to rely on it (security, what an acknowledgement means), roostd doesn't start; elsewhere it says so.
extension Settings {
    /// Settings that keep roostd from starting, as lines for a person.
    var unavailable: [String] {
        var lines: [String] = []
        func refuse(_ key: String, _ isSet: Bool, _ what: String) {
            if isSet { lines.append("\(key): \(what) not available in this version; do without") }
        }
        refuse("module", !modules.isEmpty, "bridge modules are")
        return lines
    }

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
