import FoundationEssentials

/// What roostd answers, by the keys of its JSON. Keys that a command doesn't need may be missing.
enum Document {
    static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        do {
            return try decoder.decode(type, from: Data(bytes))
        } catch {
            throw Failure.refused("roostd's answer is not what this roost expects (\(error)). Are both of one version?")
        }
    }

    /// The document as it came, on one line, for `--json`.
    static func print(_ bytes: [UInt8]) {
        var line = bytes
        while let last = line.last, last == 10 || last == 13 || last == 32 { line.removeLast() }
        Terminal.write(line + [10], to: 1)
    }

    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}

struct ErrorDocument: Decodable {
    var error: String
}

struct StatusDocument: Decodable {
    struct Queued: Decodable {
        var messages: Int64
        var bytes: Int64
        var oldestSeconds: Double?
    }

    struct Store: Decodable {
        var bytes: Int64
        var budgetBytes: Int64
        var memoryBytes: Int64
        var writtenBytesPerDay: Double?
        var evictedMessages: Int64?
        var expiredMessages: Int64?
    }

    struct Access: Decodable {
        var authenticationFailures: Int64
        var deniedPublishes: Int64
        var deniedSubscriptions: Int64
    }

    struct SharedSubscription: Decodable {
        var filter: String
        var members: Int64
        var connected: Int64
        var queuedMessages: Int64
        var queuedBytes: Int64
    }

    struct Uplink: Decodable {
        var name: String
        var state: String
        var url: String?
        var sinceSeconds: Double?
        var error: String?
    }

    var node: String
    var version: String
    var uptimeSeconds: Double
    var connections: Int64
    var sessions: Int64
    var subscriptions: Int64
    var retained: Int64
    var twins: Int64?
    var messagesReceived: Int64
    var messagesSent: Int64
    var dropped: Int64
    var queued: Queued
    /// nil: a roostd before there were any.
    var access: Access?
    var store: Store
    /// nil: a roostd before there were any.
    var sharedSubscriptions: [SharedSubscription]?
    var uplinks: [Uplink]
    var warnings: [String]
}

struct QueueDocument: Decodable {
    var uplink: String
    var route: String
    var priority: String
    var messages: Int64
    var bytes: Int64
    /// The route's own budget.
    var budgetBytes: Int64?
    /// It costs messages now.
    var atBudget: Bool?
    var oldestSeconds: Double?
    var refused: Int64?
    var orphaned: Bool?
    /// Messages that will never arrive, by reason.
    var lost: [String: Int64]?
    /// Why it sends nothing.
    var holding: String?
}

struct QueuedMessageDocument: Decodable {
    /// A number, milliseconds since 1970, or text.
    enum Time: Decodable {
        case milliseconds(Double)
        case text(String)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Double.self) {
                self = .milliseconds(number)
            } else {
                self = .text(try container.decode(String.self))
            }
        }
    }

    var number: UInt64
    var topic: String
    var qos: Int
    /// Text, or Base64 of what isn't.
    var payload: String
    var receivedAt: Time?
}

struct ClientDocument: Decodable {
    var id: String
    var user: String?
    var address: String?
    var version: VersionNumber?
    var connected: Bool
    var sinceSeconds: Double?
    var clean: Bool?
    var subscriptions: Int64?
    var queuedMessages: Int64
    var queuedBytes: Int64
    var inflight: Int64?

    /// 5, or "3.1.1".
    struct VersionNumber: Decodable {
        var text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Double.self) {
                text = number == 4 ? "3.1.1" : Quantities.tenths(number)
            } else {
                text = try container.decode(String.self)
            }
        }
    }
}

struct UplinkDocument: Decodable {
    var name: String
    var state: String
    var url: String?
    var error: String?
    var roundTripMs: Double?
    var sentMessages: Int64
    var sentBytes: Int64
    var acknowledgedMessages: Int64
    var reconnects: Int64
}

struct ModuleDocument: Decodable {
    var name: String
    var program: String
    var state: String
    var pid: Int64?
    var restarts: Int64
    var error: String?
}
