import Client
import EventLoop
import MQTT

/// A try of an uplink's addresses, step by step, beside the uplink's own connection: is the name known, does anybody answer
/// there, is the login good, may we subscribe and publish what the configuration wants.
///
/// It connects under a client identifier of its own (`-test` behind the uplink's) with Clean Start, so that neither the
/// uplink's session nor its connection is touched. What it publishes is an empty batch, the sign of life that a route sends
/// anyway: the receiver learns nothing new from it. A route in `each` mode can't be tried without a message.
final class UplinkTrial: MQTTClientDelegate {
    /// The longest that one step may take after the connection is there.
    private static let patience: Duration = .seconds(5)

    private let uplink: Uplink
    private let client: MQTTClient
    private var completion: (([TrialStep]) -> Void)?
    private var steps: [TrialStep] = []
    private var addresses: ArraySlice<UplinkAddress>
    private var began: Instant
    private var timer = Timer.none
    /// What the step is that runs now.
    private var step = ""
    private var connecting: (any Connecting)?

    init(_ uplink: Uplink, completion: @escaping ([TrialStep]) -> Void) {
        self.uplink = uplink
        self.completion = completion
        addresses = uplink.addresses[...]
        began = uplink.loop.now
        var options = uplink.client.options
        options.clientIdentifier += Array("-test".utf8)
        options.cleanStart = true
        options.sessionExpiryInterval = 0
        options.connectTimeout = Self.patience
        options.automaticAcknowledgement = true
        client = MQTTClient(loop: uplink.loop, network: uplink.network, options: options)
        client.delegate = self
    }

    func start() {
        guard let address = addresses.popFirst() else { return finish() }
        begin("reach \(address.url)")
        connecting = uplink.network.connect(to: address.endpoint, timeout: Self.patience) { result in
            self.connecting = nil
            switch result {
            case .failure(let error):
                self.end(false, "\(error)")
                self.start()
            case .success(let stream):
                self.end(true, "connected to \(stream.peer)")
                self.speak(over: stream, to: address)
            }
        }
    }

    private func speak(over stream: ByteStream, to address: UplinkAddress) {
        let login = "login as \(String(decoding: client.options.clientIdentifier, as: UTF8.self))"
        do throws(TLSError) {
            let layers = uplink.layers(to: address)
            let upgrade = layers.webSocket.map { "open a WebSocket at \($0.path)" }
            let layered = try layers.wrap(stream) { [weak self] layer in
                switch layer {
                case .tls(let agreed):
                    self?.end(true, agreed)
                    self?.begin(upgrade ?? login)
                case .webSocket:
                    self?.end(true, "opened")
                    self?.begin(login)
                }
            }
            begin(layers.tls != nil ? "trust \(address.host)" : upgrade ?? login)
            client.connect(over: layered)
        } catch {
            stream.close()
            end(false, "\(error)")
            start()
        }
    }

    // MARK: - Steps

    private func begin(_ name: String) {
        step = name
        began = uplink.loop.now
    }

    private func end(_ isGood: Bool?, _ text: String) {
        guard !step.isEmpty else { return }
        steps.append(
            TrialStep(name: step, isGood: isGood, text: text, milliseconds: (uplink.loop.now - began).milliseconds))
        step = ""
        uplink.loop.cancel(timer)
    }

    private func expect(_ name: String) {
        begin(name)
        timer = uplink.loop.schedule(after: Self.patience) {
            self.end(false, "no answer within \(Self.patience.milliseconds / 1000) s")
            self.client.disconnect()
        }
    }

    private func trySubscribing() {
        let subscriptions = uplink.options.subscriptions
        guard !subscriptions.isEmpty else { return tryPublishing() }
        let isVersion5 = uplink.options.version == .v5
        expect("subscribe to \(subscriptions.map(\.filter).joined(separator: ", "))")
        _ = client.subscribe(
            subscriptions.map {
                Subscription(
                    filter: Array($0.filter.utf8), qos: $0.qos, noLocal: isVersion5,
                    retainHandling: isVersion5 ? .doNotSend : .send)
            })
    }

    private func tryPublishing() {
        let batch = uplink.senders.lazy.compactMap { $0 as? BatchSender }.first
        guard let batch else {
            begin("publish")
            end(nil, "not tried: a route in \"each\" mode has nothing to publish but messages")
            return client.disconnect()
        }
        let topic = Batch.topic(prefix: uplink.options.batchPrefix, node: uplink.options.node)
        expect("publish to \(topic)")
        guard client.publish(topic: topic, payload: batch.signOfLife(uplink.loop.now), qos: .atLeastOnce) != nil else {
            end(false, "the upstream takes no PUBLISH of this size at QoS 1")
            return client.disconnect()
        }
    }

    private func finish() {
        let completion = completion
        self.completion = nil
        uplink.loop.cancel(timer)
        completion?(steps)
    }

    // MARK: - What the upstream says

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        var limits = ["Receive Maximum \(connack.receiveMaximum)"]
        if let size = connack.maximumPacketSize { limits.append("Maximum Packet Size \(size)") }
        guard connack.maximumQoS != .atMostOnce else {
            end(false, "accepted, but for QoS 0 alone, which acknowledges nothing: Roost needs QoS 1")
            return client.disconnect()
        }
        end(true, uplink.options.version == .v5 ? "accepted: \(limits.joined(separator: ", "))" : "accepted")
        trySubscribing()
    }

    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
        let refused = zip(uplink.options.subscriptions, reasons).filter { $1.isError }
        end(
            refused.isEmpty,
            refused.isEmpty ? "granted" : refused.map { "\($0.filter): \($1.name)" }.joined(separator: "; "))
        tryPublishing()
    }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        switch reason {
        case .success:
            end(true, uplink.options.version == .v5 ? "somebody receives batches" : "accepted, whoever receives it")
        case .noMatchingSubscribers: end(false, "allowed, but nobody subscribes to batches: no receiver")
        default: end(false, reason.name)
        }
        client.disconnect()
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {}

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        end(false, "\(error)")
        start()
    }
}

/// One step of a try.
public struct TrialStep: Sendable, Equatable {
    public var name: String
    /// nil: it could not be tried.
    public var isGood: Bool?
    public var text: String
    public var milliseconds: Int64

    public init(name: String, isGood: Bool?, text: String, milliseconds: Int64) {
        self.name = name
        self.isGood = isGood
        self.text = text
        self.milliseconds = milliseconds
    }
}

extension Uplink {
    /// Tries every address (`UplinkTrial`); one try at a time. `completion` is called once, in a later tick.
    public func test(_ completion: @escaping ([TrialStep]) -> Void) {
        let trial = UplinkTrial(self) { [weak self] steps in
            self?.trial = nil
            completion(steps)
        }
        guard self.trial == nil else {
            return completion([
                TrialStep(name: "test", isGood: nil, text: "another one is running", milliseconds: 0)
            ])
        }
        self.trial = trial
        trial.start()
    }
}

extension BatchSender {
    /// An empty batch, as it goes out every `heartbeat`, without news.
    func signOfLife(_ now: Instant) -> [UInt8] {
        let stream = queue.stream
        var output = RawBytes()
        Batch.encode(
            header(stream.numbering, stream.next, ([], []), now),
            packets: UnsafeRawBufferPointer(start: nil, count: 0), level: .fast, compressor: context.compressor,
            into: &output)
        return [UInt8](output.bytes)
    }
}
