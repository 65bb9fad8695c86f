/// A device with its twin, taken apart: what a change works on. In memory it lies as one blob (`DeviceTable`).
struct Device: Equatable {
    struct Attribute: Equatable {
        var name: String
        var value: String
        var type: String
        var optional: Bool
    }

    var name = ""
    var description = ""
    /// As it was told; empty: nothing was.
    var state = ""
    /// Milliseconds since 1970 UTC; 0: not online.
    var lastOnline: Int64 = 0
    /// Of the twin: rises with every change.
    var version: UInt64 = 0
    /// The last update that was taken: its `event_id`, and a hash of all of it.
    var lastEvent = ""
    var lastEventHash: UInt64 = 0
    /// Gone; what is kept are the versions.
    var isRemoved = false
    /// The cloud doesn't know of the device itself: its state, or that it is gone.
    var isPending = false
    var attributes: [Attribute] = []
    var properties: [Property] = []

    func index(of name: UInt32) -> Int? { properties.firstIndex { $0.name == name } }

    /// Something waits to be told to the cloud.
    var hasPending: Bool { isPending || properties.contains(where: \.isPending) }

    mutating func clearPending() {
        isPending = false
        for index in properties.indices { properties[index].isPending = false }
    }
}

struct Property: Equatable {
    /// In the `NameTable`.
    var name: UInt32
    var type = PropertyType.string
    var optional = true
    /// Changed here, and not yet told to the cloud.
    var isPending = false
    var expected = Side()
    var actual = Side()

    init(name: UInt32) { self.name = name }

    subscript(side: SideName) -> Side {
        get { side == .expected ? expected : actual }
        set { if side == .expected { expected = newValue } else { actual = newValue } }
    }

    /// One that was never there, for who thinks that it is.
    static func missing(_ name: UInt32) -> Property {
        var property = Property(name: name)
        property.bury()
        for side in SideName.allCases { property[side].version = Version() }
        return property
    }

    /// Its values go; their versions stay.
    mutating func bury() {
        type = .deleted
        for side in SideName.allCases {
            self[side].value = nil
            self[side].timestamp = 0
        }
    }
}

enum SideName: CaseIterable {
    case expected, actual
    var word: String { self == .expected ? "expected" : "actual" }
}

/// The expected or the actual value.
struct Side: Equatable {
    var value: String?
    /// Milliseconds since 1970 UTC.
    var timestamp: Int64 = 0
    /// nil: it never had a value.
    var version: Version?
}

/// How often a value was changed, and where.
struct Version: Equatable {
    var cloud: Int64 = 0
    var edge: Int64 = 0
}
