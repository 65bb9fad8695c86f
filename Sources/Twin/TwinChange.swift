/// What a change did, for those who are told.
struct TwinEffect {
    struct Documented {
        var last: Property?
        var current: Property?
        var name: UInt32
    }

    /// What was accepted; nil: the property is gone.
    struct Accepted {
        var property: Property?
        var name: UInt32
        var sides: [SideName] = []
        var tellsOptional = false
        var tellsType = false
    }

    var accepted: [Accepted] = []
    var documents: [Documented] = []
    /// What the other side of the link offered and wasn't taken, with the versions that were offered.
    var refused: [(name: UInt32, expected: Version?, actual: Version?)] = []
    /// What the other side of the link hasn't heard of: it is told again.
    var unheard: [UInt32] = []

    var changed: [UInt32] { documents.map(\.name) }
}

/// Where a change is made: it raises that number of a value's version.
enum TwinPlace {
    case edge, cloud

    func raise(_ version: inout Version?) {
        var raised = version ?? Version()
        if self == .edge { raised.edge += 1 } else { raised.cloud += 1 }
        version = raised
    }
}

extension Device {
    /// An update by a device or an app: all of it, or nothing.
    mutating func apply(
        _ request: TwinRequest, at place: TwinPlace, now: Int64, names: inout NameTable
    ) throws(TwinProblem) -> TwinEffect {
        // First everything is looked at: a name is not even remembered for an update that is refused.
        var planned: [(name: String, index: Int?, change: PropertyChange?, values: [SideName: String])] = []
        var added = 0
        for (name, change) in request.properties {
            let index = names.find(name).flatMap { self.index(of: $0) }
            guard let change else {
                planned.append((name, index, nil, [:]))
                continue
            }
            var type = index.map { properties[$0].type } ?? .deleted
            if type == .deleted {
                guard !change.hasUnknownType, change.type != .deleted else { throw .badType }
                type = change.type ?? .string
            }
            var values: [SideName: String] = [:]
            for side in SideName.allCases where change[side].isThere {
                guard let value = change[side].value else { throw .noValue }
                values[side] = try value.text(as: type)
            }
            if index == nil { added += 1 }
            planned.append((name, index, change, values))
        }
        guard properties.count + added <= PropertyRules.maximumProperties else { throw .full }
        var effect = TwinEffect()
        for (name, index, change, values) in planned {
            guard let change else {
                if let index { remove(at: index, by: place, &effect) }
                continue
            }
            set(name, index, change, values, place, now, &names, &effect)
        }
        return effect
    }

    private mutating func remove(at index: Int, by place: TwinPlace, _ effect: inout TwinEffect) {
        let last = properties[index]
        guard last.optional, last.type != .deleted else { return }
        for side in SideName.allCases where last[side].version != nil { place.raise(&properties[index][side].version) }
        properties[index].bury()
        effect.accepted.append(.init(property: nil, name: last.name))
        effect.documents.append(.init(last: last, current: nil, name: last.name))
    }

    private mutating func set(
        _ name: String, _ index: Int?, _ change: PropertyChange, _ values: [SideName: String], _ place: TwinPlace,
        _ now: Int64, _ names: inout NameTable, _ effect: inout TwinEffect
    ) {
        let last = index.map { properties[$0] }
        var property = last ?? Property(name: names.intern(name))
        var accepted = TwinEffect.Accepted(property: nil, name: property.name)
        for side in SideName.allCases {
            guard let value = values[side] else { continue }
            place.raise(&property[side].version)
            property[side].value = value
            property[side].timestamp = now
            accepted.sides.append(side)
        }
        let isNew = last == nil || last?.type == .deleted
        if isNew { property.type = change.type ?? .string }
        if let last {
            // Once a property is there for good, it stays.
            if let optional = change.optional, !optional, last.optional { property.optional = false }
        } else {
            property.optional = change.optional ?? true
        }
        accepted.tellsType = isNew || !values.isEmpty
        accepted.tellsOptional = accepted.tellsType || property.optional != last?.optional
        guard isNew || !values.isEmpty || property.optional != last?.optional else { return }
        accepted.property = property
        effect.accepted.append(accepted)
        effect.documents.append(
            .init(last: last?.type == .deleted ? nil : last, current: property, name: property.name))
        if let index { properties[index] = property } else { properties.append(property) }
    }
}
