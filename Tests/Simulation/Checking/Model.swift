import MQTT
import Store
import Uplink

/// The reference: what was published, acknowledged and delivered, in a few tables; and what must hold at each step. What must
/// hold at the end is in `Model+Verdict.swift`, what batches must be in `Model+Batches.swift`.
final class Model {
    /// What one subscriber has had.
    struct Deliveries {
        /// How often in all; on which connection last, and how often on that.
        var counts: [Arrival: (count: Int, connection: Int, onConnection: Int)] = [:]
        /// The last place that came for the first time, by way, publisher, topic and QoS.
        var places: [String: Int] = [:]
        var retained: [String: String] = [:]
    }

    /// A message, and by which of the node's uplinks it came: each is a way of its own.
    struct Arrival: Hashable {
        var message: Int
        var way: Int
    }

    unowned let world: World
    private(set) var messages: [MessageRecord] = []
    private var places: [String: Int] = [:]
    private(set) var deliveries: [String: Deliveries] = [:]
    /// What the members of each Shared Subscription have had at QoS 2, all together.
    private var shared: [String: [Int: Int]] = [:]
    /// What the receiver has committed: how often, and when first.
    var taken: [Arrival: (count: Int, at: Int64)] = [:]
    let numbers = Numbers()
    /// Numbers whose batch was acknowledged to the node, and their messages.
    var acknowledgedPlaces: Set<BatchPlace> = []
    var acknowledgedByFarEnd: Set<Int> = []
    /// The last place that the receiver took for the first time, by route, publisher, topic and QoS.
    var takenPlaces: [String: Int] = [:]

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
        world.tally.add(.published)
        return message
    }

    /// PUBACK or PUBREC has come, and no error.
    func acknowledge(_ message: MessageRecord) {
        message.state = .acknowledged
        world.tally.add(.acknowledged)
        if message.payload.utf8.count >= 20_000 { world.tally.add(.large) }
        checkUpstream(message)
    }

    func find(_ payload: String) -> MessageRecord? {
        guard let number = MessageRecord.number(in: payload), messages.indices.contains(number),
            messages[number].payload == payload
        else { return nil }
        return messages[number]
    }

    /// Where the node takes a message: its routes, if every start of the node that had to do with it has the same for its topic.
    func takers(of message: MessageRecord) -> [RoutePlan.Entry]? {
        guard message.role == .node, let starts = message.starts else { return nil }
        let first = world.plan(starts.lowerBound).takers(of: message.topic)
        for start in starts.dropFirst() {
            guard world.plan(start).takers(of: message.topic).map(\.name) == first.map(\.name) else { return nil }
        }
        return first
    }

    func hasArrived(_ message: MessageRecord, by way: Int) -> Bool {
        let arrival = Arrival(message: message.number, way: way)
        return taken[arrival] != nil || deliveries["lake"]?.counts[arrival] != nil
    }

    // MARK: Delivering

    /// A subscriber has a message.
    func deliver(_ publish: PublishView, to client: SimulatedClient, connection: Int) {
        let payload = String(decoding: publish.payload, as: UTF8.self)
        let full = String(decoding: publish.topic, as: UTF8.self)
        if publish.retain {
            deliveries[client.name, default: Deliveries()].retained[full] = payload
            return
        }
        // A retained message that is removed has no payload to know it by.
        if payload.isEmpty { return }
        if client.world.wills.deliver(payload, to: client) { return }
        let (way, topic) = client.role == .cloud ? RoutePlan.way(of: full) : (0, full)
        guard let message = find(payload), message.topic == topic else {
            return fail(.integrity, "\(client.name) got \(payload.prefix(30)) on \(full), which nobody published")
        }
        world.trace.note(
            "\(client.name) gets \(message.number) at QoS \(publish.qos.rawValue)\(way > 0 ? ", way \(way)" : "")")
        checkSubscribed(message, full, publish.qos, client)
        let arrival = Arrival(message: message.number, way: way)
        let before = deliveries[client.name]?.counts[arrival]
        let onConnection = before?.connection == connection ? (before?.onConnection ?? 0) + 1 : 1
        let count = (before?.count ?? 0) + 1
        deliveries[client.name, default: Deliveries()].counts[arrival] = (count, connection, onConnection)
        checkRefused(message, way, client)
        checkShared(message, full, publish.qos, client)
        if before != nil {
            checkAgain(message, way, count, onConnection, publish.qos, client)
        } else {
            checkOrder(message, way, client)
        }
    }

    /// Nobody gets what it has no subscription for, nor at a higher QoS than the highest that it was granted.
    private func checkSubscribed(_ message: MessageRecord, _ topic: String, _ qos: QoS, _ client: SimulatedClient) {
        let granted = client.manner.filters.filter { Self.matches(Self.unshared($0.filter), topic) }.map(\.qos).max()
        guard let granted else { return fail(.integrity, "\(client.name) got \(message.description) uninvited") }
        let isAsPublished = message.role == client.role
        if qos > granted || (isAsPublished && qos > message.qos) {
            fail(.integrity, "\(client.name) got \(message.description) at QoS \(qos.rawValue)")
        }
    }

    /// At QoS 2 a message comes to one member once, for each time that it was sent.
    private func checkShared(_ message: MessageRecord, _ topic: String, _ qos: QoS, _ client: SimulatedClient) {
        guard client.isInGroups, !world.isForgiven(client.role) else { return }
        world.tally.add(.shared)
        guard qos == .exactlyOnce else { return }
        for (filter, _) in client.manner.filters where Self.matches(Self.unshared(filter), topic) {
            let count = (shared[filter]?[message.number] ?? 0) + 1
            shared[filter, default: [:]][message.number] = count
            if count > message.copies {
                fail(.exactlyOnce, "the members of \(filter) got \(message.description) \(count) times")
            }
        }
    }

    /// The filter of a Shared Subscription, without its name.
    static func unshared(_ filter: String) -> String {
        filter.hasPrefix("$share/")
            ? filter.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).last.map(String.init) ?? ""
            : filter
    }

    private func checkOrder(_ message: MessageRecord, _ way: Int, _ client: SimulatedClient) {
        // What comes back from another member may be late.
        guard !client.isInGroups else { return }
        let key = "\(way) \(message.orderKey)"
        let last = deliveries[client.name]?.places[key] ?? 0
        // What a session lost to its limit a moment before a crash is there again after it.
        let wasLost = world.scenario.kind == .narrow && world.machine(client.role).sudden > 0
        // Who was away when it came first may get the next copy, or what an uplink is sent again, late.
        let comesAgain = message.copies > 1 || world.mayRepeat(message, by: way, for: client)
        // Of two copies the first may have been evicted.
        let wasEvicted = world.scenario.kind == .narrow && message.copies > 1 && message.role != client.role
        let mayComeBack = wasLost || wasEvicted || (comesAgain && !client.manner.isPersistent)
        let isForgiven = world.isForgiven(client.role) || world.isForgiven(message.role)
        if message.place < last, !mayComeBack, !isForgiven, keepsOrder(message, way, for: client) {
            let later = messages.first { $0.orderKey == message.orderKey && $0.place == last }
            fail(.order, "\(client.name) got \(message.description) after message \(later?.number ?? -1)")
        }
        deliveries[client.name, default: Deliveries()].places[key] = max(last, message.place)
    }

    /// Order is kept within a route, unless it gives it up; and so for a topic while its route stays the same.
    private func keepsOrder(_ message: MessageRecord, _ way: Int, for client: SimulatedClient) -> Bool {
        guard message.role != client.role, message.role == .node else { return way == 0 }
        guard !world.scenario.edit.movesTopics || way > 0 else { return false }
        guard let route = takers(of: message)?.first(where: { $0.way == way }) else { return false }
        // One PUBLISH a message: what the cloud refuses for now comes behind what it took meanwhile.
        if route.options.mode == .each, world.cloud.hasFailed { return false }
        return !route.policy.givesOrderUp
    }

    private func checkRefused(_ message: MessageRecord, _ way: Int, _ client: SimulatedClient) {
        guard message.state == .refused, message.copies <= 1 else { return }
        // What the receiver took before the refusal is delivered.
        guard client.role == message.role || taken[Arrival(message: message.number, way: way)] == nil else { return }
        guard !wasRefusedUpstream(message, ifBy: client.role == message.role ? nil : way) else { return }
        fail(.refused, "\(client.name) got \(message.description)")
    }

    /// `ack = "upstream"`: what such a route withdrew when its link went down, or lost to the budget, was refused for that, and
    /// its other destinations have it all the same.
    ///
    /// - Parameter way: how it came; nil: at the node itself.
    func wasRefusedUpstream(_ message: MessageRecord, ifBy way: Int?) -> Bool {
        guard let takers = takers(of: message) else { return way == nil || world.scenario.acknowledgesUpstream }
        return takers.contains { $0.policy.upstreamTimeout != nil && $0.way != way }
    }

    private func checkAgain(
        _ message: MessageRecord, _ way: Int, _ count: Int, _ onConnection: Int, _ qos: QoS, _ client: SimulatedClient
    ) {
        guard !world.mayRepeat(message, by: way, for: client), !world.isForgiven(client.role) else { return }
        // Each copy that the publisher sent is a message.
        if qos == .exactlyOnce, count > message.copies {
            fail(
                .exactlyOnce,
                "\(client.name) got \(message.description) \(count) times; it was sent \(message.copies) times")
        } else if onConnection > message.copies {
            fail(.duplicates, "\(client.name) got \(message.description) \(onConnection) times on one connection")
        }
    }
}

extension RoutePolicy {
    var givesOrderUp: Bool { sendsNewestFirst || keepsLatest }
}
