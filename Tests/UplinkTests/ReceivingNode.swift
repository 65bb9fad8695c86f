import Broker
import Client
import EventLoop
import Glibc
import MQTT
import Store

@testable import Uplink

/// Nodes on one virtual clock and network.
final class Site {
    let clock = VirtualClock()
    let loop: EventLoop
    let network: MemoryNetwork
    var nodes: [ReceivingNode] = []

    init() {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
    }

    func pass(_ duration: Duration) {
        let end = clock.now + duration
        repeat {
            clock.advance(to: min(clock.now + .milliseconds(50), end))
            for _ in 0..<10 {
                loop.tick(wait: .zero)
                for node in nodes { node.drain() }
            }
        } while clock.now < end
    }

    func client(
        _ identifier: String, at host: String, subscribing filter: String? = nil, version: ProtocolVersion = .v5,
        session: UInt32 = 0
    ) -> NotingClient {
        NotingClient(
            identifier, at: host, subscribing: filter, version: version, session: session, loop: loop, network: network)
    }
}

/// A broker with a receiver, a database on disk, and uplinks that send what matches their filter as batches.
final class ReceivingNode {
    let name: String
    let log: Log
    let broker: Broker
    let ingest: Ingest
    private(set) var uplinks: [Uplink] = []
    private(set) var queues: [RouteQueue] = []
    var lines: [String] = []
    private let store: StoreStep
    private var listener: (any Listener)?
    /// Nothing more reaches its disk.
    var isCrashed = false
    private final class Ears { var areOpen = true }
    private let ears = Ears()

    /// - Parameter peers: hosts that everything below `sync/` is sent to.
    init(
        _ name: String, in site: Site, directory: String, peers: [String] = [],
        access: any AccessControl = OpenAccess(),
        _ change: (inout IngestOptions) -> Void = { _ in }
    ) throws {
        self.name = name
        let database = try Database.open(path: "\(directory)/\(name)")
        let state = try database.load()
        var handler: (StoreReport) -> Void = { _ in }
        store = StoreStep(database: database) { handler($0) }
        let log = Log(loop: site.loop, engine: store, options: LogOptions(), state: state)
        let ears = ears
        handler = { [weak log] in if ears.areOpen { log?.handle($0) } }
        self.log = log
        broker = Broker(log: log, state: state, access: access)
        var options = IngestOptions(node: name)
        change(&options)
        let stored = state.states.filter { $0.kind == .receiver }.map { (key: $0.key, value: $0.value) }
        ingest = try Ingest(
            options: options, sink: broker, stored: stored, storeTime: { log.clock.now })
        broker.receiver = ingest
        for peer in peers {
            let queue = RouteQueue(
                name: "\(peer)/sync", evictionClass: .normal, storesQoS0: true, ttl: nil, budgetBytes: nil, log: log,
                state: state)
            broker.add(Route(uplink: peer, filter: Array("sync/#".utf8), queue: queue))
            queues.append(queue)
            let uplink = try Uplink(
                options: UplinkOptions(
                    name: peer, node: name, urls: ["mqtt://\(peer)"], clientIdentifier: "\(name)-\(peer)",
                    reconnectMax: .seconds(2), routes: [RouteOptions(name: "sync", batchDelay: .milliseconds(100))]),
                loop: site.loop, network: site.network, queues: [queue], sink: broker, storeTime: { log.clock.now },
                random: { 0.5 })
            uplinks.append(uplink)
        }
        let broker = broker
        listener = try site.network.listen(.tcp(host: name, port: 1883)) { stream in
            broker.accept(stream, listener: ListenerOptions(anonymous: .always))
        }
        ingest.onNotice = { [unowned self] in lines.append($0) }
        site.nodes.append(self)
        for uplink in uplinks { uplink.start() }
    }

    func drain() { if !isCrashed { store.drain() } }

    /// The writer does its work, and the loop never hears of it.
    func commitUnheard() {
        ears.areOpen = false
        store.drain()
    }

    /// SIGKILL: what its database holds stays, and nobody is told anything.
    func crash(in site: Site) {
        isCrashed = true
        for uplink in uplinks { uplink.stop() }
        listener?.close()
        for node in site.nodes where node === self { node.broker.shutDown() }
        site.nodes.removeAll { $0 === self }
    }

    func state(of node: String, route: String, epoch: UInt64) -> ReceiverState? {
        ingest.states[ReceiverKey(node: node, route: route, run: BatchRun(epoch: epoch))]
    }
}

/// A client that notes what it hears.
final class NotingClient: MQTTClientDelegate {
    let client: MQTTClient
    private(set) var received: [Inner] = []
    private(set) var acknowledged: [ReasonCode] = []
    private(set) var closings: [MQTTClientError] = []
    private let filter: String?

    init(
        _ identifier: String, at host: String, subscribing filter: String?, version: ProtocolVersion, session: UInt32,
        loop: EventLoop, network: MemoryNetwork
    ) {
        var options = MQTTClient.Options()
        options.clientIdentifier = Array(identifier.utf8)
        options.version = version
        options.cleanStart = session == 0
        options.sessionExpiryInterval = version == .v5 ? session : 0
        client = MQTTClient(loop: loop, network: network, options: options)
        self.filter = filter
        client.delegate = self
        client.connect(to: .tcp(host: host, port: 1883))
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        if let filter { _ = client.subscribe([Subscription(filter: Array(filter.utf8), qos: .atLeastOnce)]) }
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) { received.append(Inner(publish)) }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        acknowledged.append(reason)
    }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) { closings.append(error) }

    func sendWhenConnected(_ batch: [UInt8], _ site: Site) {
        site.pass(.seconds(1))
        send(batch)
        site.pass(.seconds(1))
    }

    func send(_ batch: [UInt8], node: String = "pump-7") {
        _ = client.publish(topic: Batch.topic(prefix: "roost/batch", node: node), payload: batch, qos: .atLeastOnce)
    }
}

/// A directory that goes with the value.
final class Folder {
    let path: String

    init() {
        var template = Array("/tmp/roost-receiving-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A copy of another's files, as a snapshot of a disk is.
    func take(_ other: Folder) throws { _ = system("cp -r '\(other.path)/.' '\(path)'") }

    deinit { _ = system("rm -rf '\(path)'") }
}
