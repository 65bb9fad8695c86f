import EventLoop
import JSON

/// One device's twin, as its bridge keeps it: readings become actual values, and expected values that differ become writes.
///
/// The topics are the ones that any client would use (docs/twin.md), so that it doesn't matter whose twin it is.
package final class TwinBinding {
    package let device: String
    private let connection: BridgeConnection
    private let desired: (_ property: String, _ value: String) -> Void
    private var reported: [(name: String, value: Value)] = []
    private var attempts: [String: Attempt] = [:]
    private var number: UInt64 = 0
    private let run = String(UInt64.random(in: 0 ... .max), radix: 16)
    private var isScheduled = false
    private var willAskAgain = false

    private struct Attempt {
        var value: String
        var time: Instant
    }

    /// The same value is asked for again with every update until the device confirms it; between two writes of it goes this long.
    private static let patience = Duration.seconds(10)

    /// - Parameters:
    ///   - device: its name, one level or two.
    ///   - desired: write this to the device, if it is writable; what is read after it confirms it.
    package init(
        device: String, connection: BridgeConnection, desired: @escaping (_ property: String, _ value: String) -> Void
    ) {
        self.device = device
        self.connection = connection
        self.desired = desired
    }

    private var prefix: String { "$hw/events/device/\(device)" }

    /// Listens for what is expected, and asks what was while nobody listened.
    package func start() {
        connection.subscribe("\(prefix)/twin/update/delta") { [weak self] _, payload in self?.take(payload, "delta") }
        connection.subscribe("\(prefix)/twin/get/result") { [weak self] _, payload in self?.take(payload, "twin") }
        send("twin/get") { _ in }
    }

    /// A property's value was read. Those of one tick go in one update.
    package func report(_ property: String, _ value: Value) {
        attempts[property] = attempts[property].flatMap { $0.value == value.plain ? nil : $0 }
        reported.append((property, value))
        guard !isScheduled else { return }
        isScheduled = true
        connection.loop.onNextTickEnd { [weak self] in self?.flush() }
    }

    /// The device is there ("online"), is not ("offline"), or answers what it shouldn't ("unhealthy").
    package func report(state: String) {
        send("state/update") { $0.member("state", state) }
    }

    private func flush() {
        isScheduled = false
        let values = reported
        reported = []
        send("twin/update") { json in
            json.object("twin") { json in
                // Of one property the last value counts, and JSON wants each name once.
                var written: Set<String> = []
                for (name, value) in values.reversed() where written.insert(name).inserted {
                    json.object(name) { json in
                        json.object("actual") { $0.member("value", value.plain) }
                        json.object("metadata") { $0.member("type", value.twinType) }
                    }
                }
            }
        }
    }

    private func send(_ topic: String, _ body: (inout JSONWriter) -> Void) {
        number += 1
        var json = JSONWriter()
        json.object { json in
            json.member("event_id", "\(connection.module)-\(run)-\(number)")
            json.member("timestamp", connection.loop.clock.wallMilliseconds)
            body(&json)
        }
        connection.publish("\(prefix)/\(topic)", json.bytes)
    }

    // MARK: - Expected values

    private func take(_ payload: [UInt8], _ member: String) {
        guard let json = JSON(payload), case .object(let properties)? = json[member] else { return }
        for (name, property) in properties.sorted(by: { $0.key < $1.key }) {
            if member == "delta" {
                if case .string(let value) = property { ask(name, value) }
            } else if case .string(let expected)? = property["expected"]?["value"] {
                if case .string(expected)? = property["actual"]?["value"] { continue }
                ask(name, expected)
            }
        }
    }

    /// A delta comes with an update, and none may come for long: a write that was lost with a device's power is made again.
    private func askAgain(at time: Instant) {
        guard !willAskAgain else { return }
        willAskAgain = true
        connection.loop.schedule(at: time) { [weak self] in
            self?.willAskAgain = false
            self?.send("twin/get") { _ in }
        }
    }

    private func ask(_ name: String, _ value: String) {
        let now = connection.loop.now
        if let last = attempts[name], last.value == value, now - last.time < Self.patience {
            return askAgain(at: last.time + Self.patience)
        }
        attempts[name] = Attempt(value: value, time: now)
        desired(name, value)
    }
}
