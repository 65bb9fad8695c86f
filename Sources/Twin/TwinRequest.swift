import JSON

/// Why a message is refused: the code and the words of the answer.
struct TwinProblem: Error, Equatable {
    var code: Int
    var reason: String
    /// The twin's version, where the one that was asked for isn't it.
    var version: UInt64?

    static func bad(_ reason: String) -> TwinProblem { TwinProblem(code: 400, reason: reason) }

    static let noJSON = bad("Unmarshal update request body failed, please check the request")
    static let noTwin = bad("Update twin error, key:twin does not exist")
    static let badName = bad(
        "The key of twin must only include upper or lowercase letters, number, english, and special letter - _ . , : / @ #"
            + " and the length of key should be less than 128 bytes")
    static func badValue(strict: Bool) -> TwinProblem {
        strict
            ? bad(
                "The value of twin must only include upper or lowercase letters, number, english, and special letter"
                    + " - _ . , : / @ # and the length of value should be less than 512 bytes")
            : bad("a value has more than \(PropertyRules.maximumFreeValue) bytes")
    }
    static let noValue = bad("expected and actual must have a value")
    static let badType = bad("the value type is not allowed")
    static let full = bad("the device has too many properties")
}

/// What every message has.
struct BaseMessage {
    var eventID = ""
    let json: JSON

    /// - Throws: for what is no JSON object, or has an `event_id` or `timestamp` of another type.
    init(_ payload: [UInt8]) throws(TwinProblem) {
        guard let json = JSON(payload), case .object = json else { throw .noJSON }
        self.json = json
        switch json["event_id"] {
        case nil, .null: break
        case .string(let text): eventID = text
        default: throw .noJSON
        }
        switch json["timestamp"] {
        case nil, .null: break
        case .number(let number) where number.integer != nil: break
        default: throw .noJSON
        }
    }
}

/// What is to become of one property.
struct PropertyChange {
    enum Value {
        case text(String)
        case number(JSONNumber)
        case boolean(Bool)
    }

    struct Side {
        var value: Value?
        var timestamp: Int64 = 0
        var version: Version?
        /// Of the cloud's change that the edge did not take.
        var refused: Version?
        var isThere = false
    }

    var expected = Side()
    var actual = Side()
    var optional: Bool?
    /// nil: not said.
    var type: PropertyType?
    /// `metadata.type` is no type: of a property that has one already it doesn't matter.
    var hasUnknownType = false

    subscript(side: SideName) -> Side {
        get { side == .expected ? expected : actual }
        set { if side == .expected { expected = newValue } else { actual = newValue } }
    }
}

/// An update, from a device, an app, or between edge and cloud.
struct TwinRequest {
    /// nil: the property is to go.
    var properties: [(name: String, change: PropertyChange?)] = []
    /// The twin's version that it is meant for.
    var version: UInt64?

    /// - Parameter strict: `strict_values`.
    init(_ base: BaseMessage, strict: Bool) throws(TwinProblem) {
        switch base.json["version"] {
        case nil, .null: break
        case .number(let number):
            guard let whole = number.integer, whole >= 0 else { throw .noJSON }
            version = UInt64(whole)
        default: throw .noJSON
        }
        let twin: [String: JSON]
        switch base.json["twin"] {
        case nil, .null: throw .noTwin
        case .object(let members): twin = members
        default: throw .noJSON
        }
        guard twin.count <= PropertyRules.maximumProperties else { throw .full }
        properties.reserveCapacity(twin.count)
        for (name, json) in twin {
            guard PropertyRules.isName(name) else { throw .badName }
            properties.append((name, try Self.change(json, strict)))
        }
        properties.sort { $0.name < $1.name }
    }

    private static func change(_ json: JSON, _ strict: Bool) throws(TwinProblem) -> PropertyChange? {
        if json == .null { return nil }
        guard case .object(let members) = json else { throw .noJSON }
        var change = PropertyChange()
        switch members["optional"] {
        case nil, .null: break
        case .boolean(let optional): change.optional = optional
        default: throw .noJSON
        }
        switch members["metadata"] {
        case nil, .null: break
        case .object(let metadata):
            switch metadata["type"] {
            case nil, .null: change.type = .string
            case .string(let word):
                change.type = PropertyType(name: word)
                change.hasUnknownType = change.type == nil
            default: throw .noJSON
            }
        default: throw .noJSON
        }
        for side in SideName.allCases {
            change[side] = try self.side(members[side.word], strict)
            change[side].version = try version(members["\(side.word)_version"])
            change[side].refused = try version(members["\(side.word)_refused"])
        }
        return change
    }

    private static func side(_ json: JSON?, _ strict: Bool) throws(TwinProblem) -> PropertyChange.Side {
        var side = PropertyChange.Side()
        switch json {
        case nil, .null: return side
        case .object: break
        default: throw .noJSON
        }
        side.isThere = true
        switch json?["value"] {
        case nil, .null: break
        case .string(let text):
            guard PropertyRules.isValue(text, strict: strict) else { throw .badValue(strict: strict) }
            side.value = .text(text)
        case .number(let number):
            guard PropertyRules.isValue(number.plain, strict: strict) else { throw .badValue(strict: strict) }
            side.value = .number(number)
        case .boolean(let flag): side.value = .boolean(flag)
        default: throw .noJSON
        }
        switch json?["metadata"] {
        case nil, .null: break
        case .object(let metadata):
            switch metadata["timestamp"] {
            case nil, .null: break
            case .number(let number):
                guard let whole = number.integer else { throw .noJSON }
                side.timestamp = whole
            default: throw .noJSON
            }
        default: throw .noJSON
        }
        return side
    }

    private static func version(_ json: JSON?) throws(TwinProblem) -> Version? {
        switch json {
        case nil, .null: return nil
        case .object(let members):
            var version = Version()
            for (name, place) in [("cloud", \Version.cloud), ("edge", \Version.edge)] {
                switch members[name] {
                case nil, .null: break
                case .number(let number):
                    // What adds one to it must not overflow.
                    guard let whole = number.integer, (0...(1 << 62)).contains(whole) else { throw .noJSON }
                    version[keyPath: place] = whole
                default: throw .noJSON
                }
            }
            return version
        default: throw .noJSON
        }
    }
}

extension JSONNumber {
    /// Without the plus signs, which no value may have.
    fileprivate var plain: String { literal.contains("+") ? literal.filter { $0 != "+" } : literal }
}

extension PropertyChange.Value {
    /// The string that is stored for it.
    ///
    /// - Throws: where it is none of the type's.
    func text(as type: PropertyType) throws(TwinProblem) -> String {
        let text =
            switch self {
            case .text(let text): text
            case .boolean(let flag): flag ? "true" : "false"
            case .number(let number):
                // `5.0` is a whole number for who has but one kind of them.
                if type == .int || type == .integer, let whole = number.integer { "\(whole)" } else { number.plain }
            }
        if let complaint = type.complaint(about: text) { throw .bad(complaint) }
        return text
    }
}
