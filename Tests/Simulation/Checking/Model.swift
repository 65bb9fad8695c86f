import MQTT
import Uplink

/// The reference: what was published, acknowledged and delivered, in a few tables; and what must hold at each step. What
/// must hold at the end is in `Model+Verdict.swift`.
final class Model {
    /// What one subscriber has had.
    struct Deliveries {
        /// By message: how often in all; on which connection last, and how often on that.
        var counts: [Int: (count: Int, connection: Int, onConnection: Int)] = [:]
        /// The last place that came for the first time, by publisher, topic and QoS.
        var places: [String: Int] = [:]
        var retained: [String: String] = [:]
    }

    unowned let world: World
    private(set) var messages: [MessageRecord] = []
    private var places: [String: Int] = [:]
    private(set) var deliveries: [String: Deliveries] = [:]
    /// What the receiver has committed, by message.
    private(set) var taken: [Int: Int] = [:]
    /// Which message each number was given to, as seen on the wire.
    private(set) var numbers: [BatchPlace: Int] = [:]
    /// Numbers whose batch was acknowledged to the node.
    private(set) var acknowledgedPlaces: Set<BatchPlace> = []

    init(_ world: World) { self.world = world }

    func fail(_ promise: Violation.Promise, _ detail: @autoclosure () -> String) { world.fail(promise, detail()) }

    // MARK: Publishing

    func publish(
        _ publisher: String, _ role: Role, _ topic: String, _ qos: QoS, retain: Bool, bytes: Int, isClearing: Bool
    ) -> MessageRecord {
        let key = "\(publisher) \(topic) \(qos.rawValue)"
        let place = (places[key] ?? 0) + 1
        places[key] = place
        let message = MessageRecord(
            number: messages.count, publisher: publisher, role: role, topic: topic, qos: qos, place: place,
            retain: retain, bytes: bytes, isClearing: isClearing)
        messages.append(message)
        return message
    }

    private func find(_ payload: String) -> MessageRecord? {
        guard let number = MessageRecord.number(in: payload), messages.indices.contains(number),
            messages[number].payload == payload
        else { return nil }
        return messages[number]
    }

    // MARK: Delivering

    /// A subscriber has a message. `isAgain`: its client saw by the Packet Identifier that it has it already (QoS 2).
    func deliver(_ publish: PublishView, to client: SimulatedClient, connection: Int) {
        let payload = String(decoding: publish.payload, as: UTF8.self)
        let topic = String(decoding: publish.topic, as: UTF8.self)
        if publish.retain {
            deliveries[client.name, default: Deliveries()].retained[topic] = payload
            return
        }
        // A retained message that is removed has no payload to know it by.
        if payload.isEmpty { return }
        if client.world.wills.deliver(payload, to: client) { return }
        guard let message = find(payload), message.topic == topic else {
            return fail(.integrity, "\(client.name) got \(payload.prefix(30)) on \(topic), which nobody published")
        }
        world.trace.note("\(client.name) gets \(message.number) at QoS \(publish.qos.rawValue)")
        let before = deliveries[client.name]?.counts[message.number]
        let onConnection = before?.connection == connection ? (before?.onConnection ?? 0) + 1 : 1
        let count = (before?.count ?? 0) + 1
        deliveries[client.name, default: Deliveries()].counts[message.number] = (count, connection, onConnection)
        checkRefused(message, client)
        if before != nil {
            checkAgain(message, count, onConnection, publish.qos, client)
        } else {
            checkOrder(message, client)
        }
    }

    private func checkOrder(_ message: MessageRecord, _ client: SimulatedClient) {
        let key = "\(message.publisher) \(message.topic) \(message.qos.rawValue)"
        let last = deliveries[client.name]?.places[key] ?? 0
        // What a session lost to its limit a moment before a crash is there again after it.
        let wasLost = world.scenario.kind == .narrow && world.machine(client.role).sudden > 0
        // Who was away when it came first may get the next copy, or what an uplink is sent again, late.
        let comesAgain = message.copies > 1 || world.mayRepeat(message, for: client)
        let mayComeBack = wasLost || (comesAgain && !client.manner.isPersistent)
        let isForgiven = world.isForgiven(client.role) || world.isForgiven(message.role)
        let comesNewestFirst =
            world.scenario.sendsNewest && message.role != client.role && message.topic.hasPrefix("bulk/")
        if message.place < last, !mayComeBack, !isForgiven, !comesNewestFirst {
            let later = messages.first { "\($0.publisher) \($0.topic) \($0.qos.rawValue)" == key && $0.place == last }
            fail(.order, "\(client.name) got \(message.description) after message \(later?.number ?? -1)")
        }
        deliveries[client.name, default: Deliveries()].places[key] = max(last, message.place)
    }

    private func checkRefused(_ message: MessageRecord, _ client: SimulatedClient) {
        guard message.state == .refused, message.copies <= 1 else { return }
        fail(.refused, "\(client.name) got \(message.description)")
    }

    private func checkAgain(
        _ message: MessageRecord, _ count: Int, _ onConnection: Int, _ qos: QoS, _ client: SimulatedClient
    ) {
        guard !world.mayRepeat(message, for: client), !world.isForgiven(client.role) else { return }
        // Each copy that the publisher sent is a message.
        if qos == .exactlyOnce, count > message.copies {
            fail(
                .exactlyOnce,
                "\(client.name) got \(message.description) \(count) times; it was sent \(message.copies) times")
        } else if onConnection > message.copies {
            fail(.duplicates, "\(client.name) got \(message.description) \(onConnection) times on one connection")
        }
    }

    // MARK: Batches

    func batchCarries(_ place: BatchPlace, _ payload: String) {
        guard let message = find(payload) else {
            if world.wills.isWill(payload) || payload.isEmpty { return }
            return fail(.integrity, "\(place) carries \(payload.prefix(30)), which nobody published")
        }
        let known = numbers[place] ?? message.number
        numbers[place] = message.number
        if known != message.number {
            fail(.epochs, "\(place) was message \(known) and now is message \(message.number)")
        }
    }

    func batchIsTaken(_ header: BatchHeader, _ places: Range<UInt64>) {
        for number in places {
            acknowledgedPlaces.insert(BatchPlace(route: header.route, run: header.run, number: number))
        }
    }

    func receiverTakes(_ payloads: [String]) {
        for payload in payloads {
            guard let message = find(payload) else { continue }
            let count = (taken[message.number] ?? 0) + 1
            taken[message.number] = count
            if message.state == .refused, message.copies <= 1 {
                fail(.refused, "the receiver took \(message.description)")
            }
            guard count > message.copies, !world.isForgiven(.cloud) else { continue }
            fail(
                .exactlyOnce,
                "the receiver took \(message.description) \(count) times; it was sent \(message.copies) times")
        }
    }
}
