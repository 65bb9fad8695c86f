import Broker
import Client
import EventLoop
import MQTT
import Store

@testable import Uplink

/// An upstream that answers as a test tells it to.
final class ScriptedUpstream: ByteStreamDelegate {
    struct Received {
        var topic: String
        var payload: [UInt8]
        var identifier: UInt16
        var qos: QoS
        var isDuplicate: Bool
        var retain: Bool
        var user: [String]
        var expiry: UInt32?
        var connection: Int
    }

    enum Answer {
        case reason(ReasonCode)
        case silence, close
    }

    let loop: EventLoop
    private var listener: (any Listener)?
    private(set) var stream: ByteStream?
    private(set) var connects: [Connect] = []
    private(set) var received: [Received] = []
    private(set) var subscriptions: [Subscription] = []
    /// PUBACKs of what we published.
    private(set) var acknowledged: [UInt16] = []
    var connack = Connack()
    var version = ProtocolVersion.v5
    var answer: (Received) -> Answer = { _ in .reason(.success) }
    var refusesConnections = false
    var isSilent = false

    init(loop: EventLoop, network: MemoryNetwork, port: UInt16 = 1883) throws {
        self.loop = loop
        listener = try network.listen(.tcp(host: "cloud", port: port)) { [weak self] stream in
            guard let self, !self.refusesConnections else { return stream.close() }
            self.stream = stream
            stream.delegate = self
        }
    }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        var consumed = 0
        while consumed < bytes.count {
            guard
                let packet = try? readFrame(
                    UnsafeRawBufferPointer(rebasing: bytes[consumed...]), maximum: .max, version: version)
            else { break }
            consumed += packet.length
            take(packet, stream)
        }
        return consumed
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {}

    private func take(_ packet: RawPacket, _ stream: ByteStream) {
        switch packet.type {
        case .connect:
            guard let connect = try? Connect(packet) else { return stream.close() }
            version = connect.version
            connects.append(connect)
            stream.write(connack.encode(version: version))
        case .publish:
            guard let view = try? PublishView(packet, version: version) else { return stream.close() }
            let inner = Inner(view)
            let message = Received(
                topic: inner.topic, payload: [UInt8](view.payload), identifier: view.packetIdentifier, qos: view.qos,
                isDuplicate: view.isDuplicate, retain: view.retain, user: inner.user, expiry: inner.expiry,
                connection: connects.count)
            received.append(message)
            guard !isSilent, view.qos != .atMostOnce else { return }
            switch answer(message) {
            case .reason(let reason): acknowledge(message, reason)
            case .silence: break
            case .close: stream.close()
            }
        case .subscribe:
            guard let subscribe = try? Subscribe(packet, version: version) else { return stream.close() }
            subscriptions += subscribe.filters
            let suback = Suback(
                packetIdentifier: subscribe.packetIdentifier, reasons: subscribe.filters.map { _ in .grantedQoS1 })
            stream.write(suback.encode(version: version))
        case .pingreq: if !isSilent { stream.write(Ping.response) }
        case .puback:
            if let ack = try? Acknowledgement(packet, version: version) { acknowledged.append(ack.packetIdentifier) }
        case .disconnect: stream.close()
        default: break
        }
    }

    func acknowledge(_ message: Received, _ reason: ReasonCode = .success) {
        guard let stream, !stream.isClosed else { return }
        var bytes = [UInt8](repeating: 0, count: Acknowledgement.maximumEncodedLength)
        let count = bytes.withUnsafeMutableBytes { memory in
            Acknowledgement.encode(
                .puback, identifier: message.identifier, reason: reason, version: version, into: memory.baseAddress!)
        }
        stream.write(Array(bytes[..<count]))
    }

    func publish(topic: String, payload: String, identifier: UInt16 = 0, properties: [UInt8] = []) {
        let topic = Array(topic.utf8)
        let payload = Array(payload.utf8)
        topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                properties.withUnsafeBytes { properties in
                    let head = PublishHead(
                        topic: topic, qos: identifier == 0 ? .atMostOnce : .atLeastOnce, packetIdentifier: identifier,
                        properties: properties)
                    var bytes = [UInt8](
                        repeating: 0, count: head.encodedLength(version: version, payloadCount: payload.count))
                    _ = bytes.withUnsafeMutableBytes {
                        head.encode(version: version, payload: payload, into: $0.baseAddress!)
                    }
                    stream?.write(bytes)
                }
            }
        }
    }

    func close() { stream?.close() }

    func disconnect(_ reason: ReasonCode) {
        stream?.write(Disconnect(reason: reason).encode(version: version))
        stream?.closeAfterFlush()
    }

    /// The batches that came, opened.
    var batches: [(header: BatchHeader, messages: [Inner])] {
        received.compactMap { message in
            guard let (header, inner, _) = try? openBatch(message.payload) else { return nil }
            return (header, inner)
        }
    }
}

/// A store that commits when it is told to.
final class SteppedEngine: StoreEngine {
    var jobs: [StoreJob] = []
    var groups: [CommitGroup] = []
    weak var log: Log?

    func submit(_ job: StoreJob) {
        jobs.append(job)
        if case .commit(let group) = job { groups.append(group) }
    }

    /// Answers everything.
    func step() {
        let due = jobs
        jobs = []
        for job in due {
            switch job {
            case .commit(let group): log?.handle(.committed(number: group.number, usedBytes: 0, removed: []))
            case .read(let tag, let stream, let from, _):
                let segments = groups.flatMap(\.segments).filter {
                    $0.stream == stream && $0.first + UInt64($0.count) > from
                }
                log?.handle(
                    .read(
                        tag: tag,
                        segments: segments.map {
                            StoredSegment(
                                stream: $0.stream, first: $0.first, count: $0.count, packets: $0.packets,
                                index: $0.index,
                                receivedAt: $0.receivedAt)
                        }, removed: []))
            case .expire, .close: break
            }
        }
    }
}

/// A node with one uplink on virtual time, and what it talks to.
final class World {
    let clock = VirtualClock()
    let loop: EventLoop
    let network: MemoryNetwork
    let engine = SteppedEngine()
    let log: Log
    let upstream: ScriptedUpstream
    let sink = CollectingSink()
    let queues: [RouteQueue]
    let uplink: Uplink
    var notices: [String] = []
    var states: [Uplink.State] = []
    /// Tickets of messages that are safe.
    let waiter = NotingWaiter()
    private var commits = true

    init(
        routes: [RouteOptions] = [RouteOptions(name: "plant")], _ change: (inout UplinkOptions) -> Void = { _ in }
    ) throws {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
        log = Log(loop: loop, engine: engine, options: LogOptions(), state: StoredState(), epoch: 0xABCD)
        engine.log = log
        upstream = try ScriptedUpstream(loop: loop, network: network)
        var options = UplinkOptions(
            name: "cloud", node: "pump-7", urls: ["mqtt://cloud"], clientIdentifier: "pump-7-cloud", routes: routes)
        change(&options)
        let log = log
        queues = routes.map {
            RouteQueue(
                name: "cloud/\($0.name)", evictionClass: $0.priority, storesQoS0: $0.storesQoS0, ttl: nil,
                budgetBytes: nil, log: log, state: StoredState())
        }
        uplink = try Uplink(
            options: options, loop: loop, network: network, queues: queues, sink: sink, storeTime: { log.clock.now },
            random: { 0 })
        uplink.onNotice = { [weak self] in self?.notices.append($0) }
        uplink.onState = { [weak self] in self?.states.append($0) }
    }

    func publish(
        _ payload: String, topic: String = "plant/7", qos: QoS = .atLeastOnce, route: Int = 0, retain: Bool = false,
        expiry: UInt32? = nil, properties: [UInt8] = [], waits: Bool = false
    ) {
        let properties = properties
        let topic = Array(topic.utf8)
        let bytes = Array(payload.utf8)
        topic.withUnsafeBytes { topic in
            bytes.withUnsafeBytes { payload in
                properties.withUnsafeBytes { properties in
                    let view = PublishView(
                        topic: topic, payload: payload, qos: qos, retain: retain, properties: properties,
                        messageExpiryInterval: expiry)
                    let message = Message(
                        view, laneSequence: log.takeLaneSequence(), receivedAt: log.clock.now, meter: log.meter)
                    log.append(message, to: [queues[route].stream], waiter: waits ? waiter : nil, ticket: 1)
                    queues[route].didAppend()
                }
            }
        }
    }

    /// Lets everything happen that needs no time.
    func settle() {
        for _ in 0..<200 {
            loop.tick(wait: .zero)
            if commits { engine.step() }
        }
    }

    /// Lets time pass, a step at a time.
    func pass(_ duration: Duration, step: Duration = .milliseconds(50)) {
        let end = clock.now + duration
        while clock.now < end {
            let next = min(clock.now + step, end)
            clock.advance(to: next)
            for _ in 0..<5 {
                loop.tick(wait: .zero)
                if commits { engine.step() }
            }
        }
        settle()
    }

    func connect() {
        uplink.start()
        settle()
    }
}

final class NotingWaiter: SafetyWaiter {
    private(set) var settled: [ReasonCode] = []
    func messageIsSettled(ticket: UInt64, reason: ReasonCode) { settled.append(reason) }
}

/// A broker that keeps what it is given, and answers when told to.
final class CollectingSink: MessageSink {
    private(set) var published: [Inner] = []
    var waiting: [(ReasonCode) -> Void] = []
    var answersAtOnce = true

    func publish(_ message: PublishView, from origin: Broker.Origin, settled: @escaping (ReasonCode) -> Void) {
        published.append(Inner(message))
        if answersAtOnce { settled(.success) } else { waiting.append(settled) }
    }

    func ingest(_ messages: [IngestedMessage], changes: [Change], committed: @escaping (Bool) -> Void) {
        committed(true)
    }
}
