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
            let refused = takeFromCloud(change, known, &property, now)
            if !refused.isEmpty {
                effect.refused.append(
                    (
                        property.name, refused.contains(.expected) ? change.expected.version : nil,
                        refused.contains(.actual) ? change.actual.version : nil
                    ))
            }
            guard known != property, refused.count < SideName.allCases.count else { continue }
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

    /// The values that are refused. Of a property that is there on both sides each value stands for itself: a device that
    /// reports all the time doesn't keep the cloud from expecting something of it. Where one side has deleted it, it is taken
    /// or refused as a whole.
    private func takeFromCloud(
        _ change: PropertyChange, _ known: Property?, _ property: inout Property, _ now: Int64
    ) -> [SideName] {
        guard !change.hasUnknownType else { return SideName.allCases }
        let isGone = change.type == .deleted
        let isWhole = isGone || known?.type == .deleted
        let type = known.flatMap { $0.type == .deleted ? nil : $0.type } ?? change.type ?? .string
        var taken = property
        var refused: [SideName] = []
        for side in SideName.allCases where !take(change[side], isGone, as: type, into: &taken[side], now) {
            guard !isWhole else { return SideName.allCases }
            refused.append(side)
        }
        guard refused.count < SideName.allCases.count else { return refused }
        if isGone {
            taken.bury()
        } else {
            taken.type = type
            if known == nil { taken.optional = change.optional ?? true }
            if change.optional == false { taken.optional = false }
        }
        property = taken
        return refused
    }

    /// False: the offer is refused.
    private func take(
        _ offer: PropertyChange.Side, _ isGone: Bool, as type: PropertyType, into side: inout Side, _ now: Int64
    ) -> Bool {
        // A tombstone may come without numbers: then it counts. A value may not.
        guard let offered = offer.version else { return !offer.isThere || isGone }
        if offered == Version(), side.version == nil, !offer.isThere { return true }
        guard offered.isNotBelow(side.version) else { return false }
        guard !isGone else {
            side.version = offered
            return true
        }
        var text: String?
        if offer.isThere {
            text = offer.value.flatMap { try? $0.text(as: type) }
            if text == nil { return false }
        }
        // The same again changes nothing, not even the time.
        if side.value == text, side.version == offered { return true }
        side = Side(value: text, timestamp: text == nil ? 0 : now, version: offered)
        return true
    }

    // MARK: - At the cloud

    /// What the edge has. It is taken, value by value, unless a change by the cloud is on its way there that the edge can still
    /// take: that one is told again. It can't where the edge has changed the value since, nor where the edge says that it has
    /// refused this very change. Where one side has deleted the property, it is taken as a whole or not.
    mutating func applyFromEdge(_ request: TwinRequest, now: Int64, names: inout NameTable) -> TwinEffect {
        var effect = TwinEffect()
        for (name, change) in request.properties {
            guard let change, !change.hasUnknownType else { continue }
            let index = names.find(name).flatMap { self.index(of: $0) }
            if index == nil, properties.count >= PropertyRules.maximumProperties { continue }
            let known = index.map { properties[$0] }
            var property = known ?? Property(name: names.intern(name))
            var unheard: [SideName] = []
            if let known {
                if known.type == .deleted || change.type == .deleted {
                    if !takesFromEdge(change, known) { unheard = SideName.allCases }
                } else {
                    unheard = SideName.allCases.filter { !isTaken(change[$0], over: known[$0]) }
                }
            }
            if !unheard.isEmpty { effect.unheard.append(property.name) }
            guard unheard.count < SideName.allCases.count else { continue }
            for side in SideName.allCases where !unheard.contains(side) {
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

/// One value, of a property that is there on both sides.
private func isTaken(_ change: PropertyChange.Side, over known: Side) -> Bool {
    let ours = known.version ?? Version()
    guard let told = change.version, told.edge <= ours.edge else { return true }
    return (ours.cloud <= told.cloud && ours.edge <= told.edge) || change.refused == ours
}

extension Version {
    fileprivate func isNotBelow(_ stored: Version?) -> Bool {
        guard let stored else { return true }
        return cloud >= stored.cloud && edge >= stored.edge
    }
}
