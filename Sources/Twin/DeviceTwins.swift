import Broker
import EventLoop
import JSON
import MQTT
import Store

/// `[twin]`.
public struct TwinOptions: Sendable, Equatable {
    /// A device is there from its first update on.
    public var autoCreate = true
    /// Values are of KubeEdge's letters and at most 512 bytes.
    public var strictValues = true
    /// Devices kept, other nodes' included.
    public var maximumDevices = 200_000

    public init() {}
}

/// The twins of all devices: of this node's own, and of those of the nodes below it.
///
/// They are in memory (`DeviceTable`) and in the store, one row a device. A message is looked at when it is routed; what it
/// changes holds at once, and what is said about it goes out when the change is on disk.
public final class DeviceTwins: TwinKeeper {
    public let broker: Broker
    let node: String
    public var options: TwinOptions
    /// Whether what changes here may go up now. nil: no link carries it, and it is published for whoever listens. While it
    /// may not, properties are marked, and go once it may: as they are then, and each once.
    public var mayAnnounce: (() -> Bool)? {
        didSet { if !pending.isEmpty { armAnnouncing() } }
    }
    /// One line to the log.
    public var onNotice: ((String) -> Void)?

    var table = DeviceTable()
    var names = NameTable()
    var answers = RecentAnswers()
    /// Devices that are gone, whose versions are kept.
    private(set) var removedCount = 0
    /// Changes that are not on disk yet.
    private var unsafeChanges = 0
    /// Places of devices of which something waits for the link.
    var pending: Set<Int> = []
    /// The place from which on all is told again; nil: nothing is.
    var tellingAgainFrom: Int?
    var announcing: Timer?
    private var fullEpisode = false

    /// - Parameter stored: what the store has under `StateKind.twin`.
    public init(
        broker: Broker, node: String, options: TwinOptions = TwinOptions(), stored: [(key: [UInt8], value: [UInt8])]
    ) {
        self.broker = broker
        self.node = node
        self.options = options
        for (key, value) in stored {
            if key == Self.tellingAgainKey {
                tellingAgainFrom = 0
                continue
            }
            guard TwinID(key: key) != nil,
                let device = Device(value[...], number: { [unowned self] in names.intern($0) })
            else { continue }
            let place = table.set(key, at: nil) { device.encode(names: nil, into: &$0) }
            if device.hasPending { pending.insert(place) }
            if device.isRemoved { removedCount += 1 }
        }
    }

    deinit { if let announcing { broker.loop.cancel(announcing) } }

    /// Devices that have a twin.
    public var count: Int { table.count - removedCount }
    /// Bytes that they take in memory.
    public var bytes: Int { table.bytes }
    /// Devices of which the cloud hasn't heard the last.
    public var pendingCount: Int { pending.count }
    /// Messages taken and refused, since the start.
    public private(set) var updates: UInt64 = 0
    public internal(set) var refusals: UInt64 = 0

    var now: Int64 { broker.wallTime }
    var messages: TwinMessages { TwinMessages(names: names, now: now) }

    // MARK: - What the broker asks

    public func wants(_ topic: UnsafeRawBufferPointer) -> Bool { TwinTopic(topic, own: node) != nil }

    public func stores(_ topic: UnsafeRawBufferPointer) -> Bool { TwinTopic(topic, own: node)?.stores ?? false }

    public func take(_ publish: PublishView, from origin: Broker.Origin) -> TwinAnswer {
        guard let topic = TwinTopic(publish.topic, own: node) else { return TwinAnswer() }
        let payload = [UInt8](publish.payload)
        let id = TwinID(node: topic.node, device: topic.device)
        var answer =
            switch topic.word {
            case .get: get(id, payload)
            case .update: update(id, payload)
            case .stateUpdate: updateState(id, payload)
            case .cloudUpdated: takeFromCloud(id, payload)
            case .edgeUpdated: takeFromEdge(id, payload)
            case .membershipGet: membership(of: topic.node, payload)
            }
        if answer.changes.isEmpty {
            answer.waits = unsafeChanges > 0
        } else {
            unsafeChanges += 1
            updates += 1
        }
        return answer
    }

    public func refuse(_ publish: PublishView) -> [OwnMessage] {
        guard let topic = TwinTopic(publish.topic, own: node), let suffix = topic.word.resultSuffix else { return [] }
        let event = (try? BaseMessage([UInt8](publish.payload)))?.eventID ?? ""
        refusals += 1
        let problem = TwinProblem(code: 500, reason: "not stored: the store takes nothing now")
        return [
            OwnMessage(
                TwinID(node: topic.node, device: topic.device).topic + suffix, messages.problem(problem, event: event))
        ]
    }

    public func changesAreSafe() { unsafeChanges -= 1 }

    /// Says what a change by other than a message has come to.
    ///
    /// - Returns: false if the store takes nothing now.
    func say(_ answer: TwinAnswer, committed: @escaping () -> Void = {}) -> Bool {
        guard !answer.changes.isEmpty else { return broker.say(answer, committed: committed) }
        unsafeChanges += 1
        let isTaken = broker.say(answer) { [weak self] in
            self?.changesAreSafe()
            committed()
        }
        if !isTaken { unsafeChanges -= 1 }
        return isTaken
    }

    // MARK: - Devices

    /// nil: there is none, nor was there one.
    func load(_ id: TwinID) -> (device: Device, place: Int)? {
        table.find(id.key).flatMap { place in device(at: place).map { ($0, place) } }
    }

    func device(at place: Int) -> Device? { table.device(at: place).flatMap { Device($0, number: nil) } }

    /// The device, if it is there and not gone.
    func living(_ id: TwinID) -> (device: Device, place: Int)? { load(id).flatMap { $0.device.isRemoved ? nil : $0 } }

    /// Whether one more has a place.
    var hasRoom: Bool {
        guard table.count >= options.maximumDevices else { return true }
        if !fullEpisode { onNotice?("there are \(table.count) twins (twin.devices): no device is added") }
        fullEpisode = true
        return false
    }

    /// Puts the device in its place, and into the store with the answer.
    @discardableResult
    func store(_ device: Device, as id: TwinID, at place: Int?, wasRemoved: Bool, _ answer: inout TwinAnswer) -> Int {
        let key = id.key
        let place = table.set(key, at: place) { device.encode(names: nil, into: &$0) }
        var row: [UInt8] = []
        device.encode(names: names, into: &row)
        answer.changes.append(.state(.twin, key: key, value: row))
        removedCount += (device.isRemoved ? 1 : 0) - (wasRemoved ? 1 : 0)
        if device.hasPending {
            pending.insert(place)
            armAnnouncing()
        } else {
            pending.remove(place)
        }
        return place
    }

    /// The device leaves without a trace.
    func forget(_ id: TwinID, at place: Int, wasRemoved: Bool, _ answer: inout TwinAnswer) {
        table.remove(at: place)
        pending.remove(place)
        fullEpisode = false
        if wasRemoved { removedCount -= 1 }
        answer.changes.append(.state(.twin, key: id.key, value: nil))
    }

    /// A message to a topic below the device's, if anybody wants it.
    func say(_ suffix: String, of id: TwinID, in answer: inout TwinAnswer, _ payload: @autoclosure () -> [UInt8]) {
        let topic = id.topic + suffix
        guard broker.isWanted(topic) else { return }
        answer.messages.append(OwnMessage(topic, payload()))
    }

    func sayProblem(_ problem: TwinProblem, _ suffix: String, of id: TwinID, event: String) -> TwinAnswer {
        refusals += 1
        var answer = TwinAnswer()
        say(suffix, of: id, in: &answer, messages.problem(problem, event: event))
        return answer
    }

    func sayMembership(
        of node: String?, added: [(id: String, device: Device)] = [], removed: [(id: String, device: Device)] = [],
        in answer: inout TwinAnswer
    ) {
        let topic = "$hw/events/node/\(node ?? self.node)/membership/updated"
        guard broker.isWanted(topic) else { return }
        answer.messages.append(OwnMessage(topic, messages.membership(added: added, removed: removed)))
    }

    static let tellingAgainKey: [UInt8] = [0]
}

extension TwinTopic.Word {
    /// Where the answer goes, below the device.
    var resultSuffix: String? {
        switch self {
        case .get: "/twin/get/result"
        case .update, .cloudUpdated: "/twin/update/result"
        case .stateUpdate: "/state/update/result"
        case .edgeUpdated, .membershipGet: nil
        }
    }
}
