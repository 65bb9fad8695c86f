import Broker
import EventLoop
import JSON
import MQTT
import Store
import Testing

@testable import Twin

/// A node that keeps twins, and one client that hears all that is said about them.
final class Twins {
    let node: Node
    private(set) var twins: DeviceTwins?
    private(set) var app: TestClient
    private let id: String
    var options: TwinOptions
    var mayAnnounce: (() -> Bool)?

    init(id: String = "pump-7", options: TwinOptions = TwinOptions(), mayAnnounce: (() -> Bool)? = nil) throws {
        self.id = id
        self.options = options
        self.mayAnnounce = mayAnnounce
        node = try Node(starts: false)
        let box = Box()
        node.prepare = { broker, state in box.prepare?(broker, state) }
        app = try Self.none(node)
        box.prepare = { [unowned self] broker, state in
            let twins = DeviceTwins(
                broker: broker, node: self.id, options: self.options,
                stored: state.states.filter { $0.kind == .twin }.map { (key: $0.key, value: $0.value) })
            twins.mayAnnounce = self.mayAnnounce
            twins.start()
            broker.twins = twins
            self.twins = twins
        }
        try start()
    }

    private final class Box {
        var prepare: ((Broker, StoredState) -> Void)?
    }

    /// A node that never served has no clients; this one is replaced at once.
    private static func none(_ node: Node) throws -> TestClient {
        try node.start()
        let client = try node.client("nobody")
        node.kill()
        return client
    }

    func start() throws {
        try node.start()
        app = try node.client("app", acknowledges: true)
        app.subscribed("$hw/events/#")
    }

    /// SIGKILL, and the next start.
    func restart() throws {
        twins = nil
        node.kill()
        try start()
    }

    var state: DeviceTwins {
        guard let twins else { preconditionFailure("no twins") }
        return twins
    }

    /// Publishes below `$hw/events/`, and returns what was said then, by topic (below `$hw/events/`), in order. What was
    /// published itself is left out.
    @discardableResult
    func say(_ topic: String, _ payload: String, _ qos: QoS = .atLeastOnce) throws -> [(topic: String, json: JSON)] {
        _ = heard()
        app.publish("$hw/events/\(topic)", payload, qos)
        let all = heard()
        return all.filter { $0.topic != topic }
    }

    /// Everything that was said since.
    func heard() -> [(topic: String, json: JSON)] {
        app.takeDeliveries().map { delivery in
            let topic = delivery.topic.dropFirst("$hw/events/".count)
            return (String(topic), JSON(Array(delivery.payload.utf8)) ?? .null)
        }
    }

    /// An update's answer on `twin/update/result`.
    func update(_ device: String, _ twin: String, event: String = "e", more: String = "") throws -> JSON {
        let said = try say(
            "device/\(device)/twin/update", "{\"event_id\":\"\(event)\",\"timestamp\":1,\"twin\":\(twin)\(more)}")
        return try #require(said.first { $0.topic == "device/\(device)/twin/update/result" }?.json)
    }

    func get(_ device: String) throws -> JSON {
        let said = try say("device/\(device)/twin/get", "{\"event_id\":\"g\",\"timestamp\":1}")
        return try #require(said.first { $0.topic == "device/\(device)/twin/get/result" }?.json)
    }

    /// "21.5" of a property as `get` gives it; nil: it isn't there.
    func value(_ device: String, _ property: String, _ side: String = "actual") throws -> String? {
        try get(device)["twin"]?[property]?[side]?["value"]?.text
    }
}

extension JSON {
    /// A string's text, a number as it is written.
    var text: String? {
        switch self {
        case .string(let text): text
        case .number(let number): number.literal
        case .boolean(let flag): "\(flag)"
        case .null: "null"
        default: nil
        }
    }

    var names: [String] {
        guard case .object(let members) = self else { return [] }
        return members.keys.sorted()
    }

    /// `a.b.c`
    func at(_ path: String) -> JSON? {
        path.split(separator: ".").reduce(Optional(self)) { $0?[String($1)] }
    }
}
