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
            guard takeFromCloud(change, known, &property, now) else {
                effect.refused.append((property.name, change.expected.version, change.actual.version))
                continue
            }
            guard known != property else { continue }
            put(property, in: index, over: known, &effect)
        }
        return effect
    }

    private mutating func put(
        _ property: Property, in index: Int?, over known: Property?, _ effect: inout TwinEffect
    ) {
        effect.documents.append(
            .init(
                last: known?.type == .deleted ? nil : known, current: property.type == .deleted ? nil : property,
                name: property.name))
        if let index { properties[index] = property } else { properties.append(property) }
    }

    /// False: one of the values is refused, and so the property as a whole: what was taken is then exactly what was offered,
    /// and the cloud need not be told.
    private func takeFromCloud(
        _ change: PropertyChange, _ known: Property?, _ property: inout Property, _ now: Int64
    ) -> Bool {
        guard !change.hasUnknownType else { return false }
        let isGone = change.type == .deleted
        let type = known.flatMap { $0.type == .deleted ? nil : $0.type } ?? change.type ?? .string
        var taken = property
        for side in SideName.allCases {
            let offer = change[side]
            guard let offered = offer.version else {
                // A tombstone may come without numbers: then it counts. A value may not.
                if offer.isThere, !isGone { return false }
                continue
            }
            if offered == Version(), taken[side].version == nil, !offer.isThere { continue }
            guard offered.isNotBelow(taken[side].version) else { return false }
            guard !isGone else {
                taken[side].version = offered
                continue
            }
            var text: String?
            if offer.isThere {
                text = offer.value.flatMap { try? $0.text(as: type) }
                if text == nil { return false }
            }
            // The same again changes nothing, not even the time.
            if taken[side].value == text, taken[side].version == offered { continue }
            taken[side] = Side(value: text, timestamp: text == nil ? 0 : now, version: offered)
        }
        if isGone {
            taken.bury()
        } else {
            taken.type = type
            if known == nil { taken.optional = change.optional ?? true }
            if change.optional == false { taken.optional = false }
        }
        property = taken
        return true
    }

    // MARK: - At the cloud

    /// What the edge has. It is taken, property by property, unless a change by the cloud is on its way there that the edge
    /// can still take: that one is told again. It can't where the edge has changed a value since (the property is refused
    /// there as a whole), nor where the edge says that it has refused this very change.
    mutating func applyFromEdge(_ request: TwinRequest, now: Int64, names: inout NameTable) -> TwinEffect {
        var effect = TwinEffect()
        for (name, change) in request.properties {
            guard let change, !change.hasUnknownType else { continue }
            let index = names.find(name).flatMap { self.index(of: $0) }
            if index == nil, properties.count >= PropertyRules.maximumProperties { continue }
            let known = index.map { properties[$0] }
            var property = known ?? Property(name: names.intern(name))
            guard known == nil || takesFromEdge(change, property) else {
                effect.unheard.append(property.name)
                continue
            }
            for side in SideName.allCases {
                guard let told = change[side].version else { continue }
                let value = change[side].value.flatMap { try? $0.text(as: .string) }
                property[side] = Side(
                    value: value, timestamp: value == nil ? 0 : change[side].timestamp,
                    version: told == Version() && value == nil ? nil : told)
            }
            if let type = change.type { property.type = type }
            if let optional = change.optional { property.optional = optional }
            if property.type == .deleted { property.bury() }
            guard property != known else { continue }
            put(property, in: index, over: known, &effect)
        }
        return effect
    }

    private func takesFromEdge(_ change: PropertyChange, _ known: Property) -> Bool {
        var isBehind = false
        var refusals: [Bool] = []
        for side in SideName.allCases {
            let ours = known[side].version ?? Version()
            if let refused = change[side].refused { refusals.append(refused == ours) }
            guard let told = change[side].version else { continue }
            if told.edge > ours.edge { return true }
            isBehind = isBehind || ours.cloud > told.cloud || ours.edge > told.edge
        }
        return !isBehind || (!refusals.isEmpty && refusals.allSatisfy { $0 })
    }
}

extension Version {
    fileprivate func isNotBelow(_ stored: Version?) -> Bool {
        guard let stored else { return true }
        return cloud >= stored.cloud && edge >= stored.edge
    }
}
