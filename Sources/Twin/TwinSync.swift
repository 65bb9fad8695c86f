/// What edge and cloud tell each other. The edge has the last word (docs/twin.md).
extension Device {
    // MARK: - At the edge

    /// A change by the cloud. Each value is taken only if neither number of its version is below the stored one; what isn't
    /// taken is in `refused`.
    mutating func applyFromCloud(_ request: TwinRequest, now: Int64, names: inout NameTable) -> TwinEffect {
        var effect = TwinEffect()
        for (name, change) in request.properties {
            guard let change else { continue }
            let index = names.find(name).flatMap { self.index(of: $0) }
            if index == nil, properties.count >= PropertyRules.maximumProperties { continue }
            let known = index.map { properties[$0] }
            var property = known ?? Property(name: names.intern(name))
            if takeFromCloud(change, known, &property, now) {
                guard known != property else { continue }
                let last = known?.type == .deleted ? nil : known
                let current = property.type == .deleted ? nil : property
                effect.documents.append(.init(last: last, current: current, name: property.name))
                if let index { properties[index] = property } else { properties.append(property) }
            } else {
                effect.refused.append((property.name, change.expected.version, change.actual.version))
                // Of two values the first may have been taken.
                guard let known, known != property, let index else { continue }
                properties[index] = property
                effect.documents.append(.init(last: known, current: property, name: property.name))
            }
        }
        return effect
    }

    /// False: at least one value is refused; then what comes behind it is, too.
    private func takeFromCloud(
        _ change: PropertyChange, _ known: Property?, _ property: inout Property, _ now: Int64
    ) -> Bool {
        guard !change.hasUnknownType else { return false }
        if change.type == .deleted {
            var buried = property
            for side in SideName.allCases {
                // A tombstone may come without numbers: then it counts.
                guard let offered = change[side].version else { continue }
                guard offered.isNotBelow(buried[side].version) else { return false }
                buried[side].version = offered
            }
            buried.bury()
            property = buried
            return true
        }
        let type = known.flatMap { $0.type == .deleted ? nil : $0.type } ?? change.type ?? .string
        var taken = property
        for side in SideName.allCases where change[side].isThere {
            guard let offered = change[side].version, offered.isNotBelow(taken[side].version),
                let value = change[side].value, let text = try? value.text(as: type)
            else {
                if taken[.expected] != property[.expected] { property.expected = taken.expected }
                return false
            }
            // The same again changes nothing, not even the time.
            if taken[side].value == text, taken[side].version == offered, known?.type == type { continue }
            taken[side].version = offered
            taken[side].value = text
            taken[side].timestamp = now
        }
        taken.type = type
        if known == nil { taken.optional = change.optional ?? true }
        if change.optional == false { taken.optional = false }
        property = taken
        return true
    }

    // MARK: - At the cloud

    /// What the edge has. It is taken, unless a later change by the cloud is on its way there, of which the edge doesn't say
    /// that it was refused: that one is told again.
    mutating func applyFromEdge(_ request: TwinRequest, now: Int64, names: inout NameTable) -> TwinEffect {
        var effect = TwinEffect()
        for (name, change) in request.properties {
            guard let change, !change.hasUnknownType else { continue }
            let index = names.find(name).flatMap { self.index(of: $0) }
            if index == nil, properties.count >= PropertyRules.maximumProperties { continue }
            let known = index.map { properties[$0] }
            var property = known ?? Property(name: names.intern(name))
            var isUnheard = false
            for side in SideName.allCases {
                guard let told = change[side].version else { continue }
                let ours = property[side].version ?? Version()
                let isRefused = change[side].refused.map { $0.cloud >= ours.cloud } ?? false
                guard told.cloud >= ours.cloud || told.edge > ours.edge || isRefused else {
                    isUnheard = true
                    continue
                }
                property[side].version = told
                property[side].value = change[side].value.flatMap { try? $0.text(as: .string) }
                property[side].timestamp = property[side].value == nil ? 0 : change[side].timestamp
            }
            if isUnheard {
                effect.unheard.append(property.name)
            } else {
                if let type = change.type { property.type = type }
                if let optional = change.optional { property.optional = optional }
                if property.type == .deleted { property.bury() }
            }
            guard property != known else { continue }
            let last = known?.type == .deleted ? nil : known
            effect.documents.append(
                .init(last: last, current: property.type == .deleted ? nil : property, name: property.name))
            if let index { properties[index] = property } else { properties.append(property) }
        }
        return effect
    }
}

extension Version {
    fileprivate func isNotBelow(_ stored: Version?) -> Bool {
        guard let stored else { return true }
        return cloud >= stored.cloud && edge >= stored.edge
    }
}
