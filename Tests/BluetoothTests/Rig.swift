import EventLoop
import MQTT
import Testing

@testable import Bluetooth
@testable import Bridge
@testable import Configuration

/// A Bluetooth module between a radio and a broker that do what the test says, on virtual time.
final class Rig {
    let clock = VirtualClock()
    let loop: EventLoop
    let radio: ScriptedRadio
    let broker = ScriptedBroker()
    let bridge: BluetoothBridge
    private let network: MemoryNetwork
    private let connection: BridgeConnection

    init(_ json: String = "{}", keys: [DeviceAddress: BindKey] = [:]) throws {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
        radio = ScriptedRadio(loop)
        let settings = try ModuleTable.read(
            BluetoothSettings.self, from: try ModuleInput.table(from: Array(json.utf8)),
            checking: BluetoothChecks.check)
        connection = BridgeConnection(loop: loop, network: network, module: "ble", node: "n")
        bridge = BluetoothBridge(settings, keys: keys, connection: connection, radio: radio)
        let endpoint = Endpoint.tcp(host: "broker", port: 1883)
        broker.listener = try network.listen(endpoint) { [broker] in broker.accept($0) }
        connection.onConnect = { [bridge] in bridge.start() }
        _ = network.connect(to: endpoint, timeout: .seconds(1), pacer: nil) { [connection] result in
            if case .success(let stream) = result { connection.open(over: stream) }
        }
        settle()
        radio.delegate?.radio(didChange: .scanning)
        settle()
        _ = broker.take()
    }

    func settle() {
        repeat { loop.tick(wait: .zero) } while loop.hasWork
    }

    func pass(_ duration: Duration) {
        settle()
        let end = clock.now + duration
        while let next = loop.nextDeadline, next <= end {
            clock.advance(to: next)
            settle()
        }
        clock.advance(to: end)
        settle()
    }

    /// What is published from now until nothing more happens.
    func published(_ body: () throws -> Void = {}) rethrows -> [String] {
        try body()
        settle()
        return broker.take()
    }

    func hear(
        _ address: DeviceAddress, _ hex: String..., name: String? = nil, rssi: Int? = nil, service: UInt16 = 0xFCD2
    ) {
        let parts = hex.map { Advertisement.Part(.service(AttributeUUID(short: service)), bytes($0)) }
        radio.known.insert(address)
        radio.delegate?.radio(
            didHear: Advertisement(address: address, name: name, rssi: rssi, parts: parts))
        settle()
    }
}

/// Answers what it is asked when the test says so.
final class ScriptedRadio: Radio {
    weak var delegate: (any RadioDelegate)?
    private let loop: EventLoop
    var known: Set<DeviceAddress> = []
    var connected: Set<DeviceAddress> = []
    /// What happened, one line each: "connect A4C1...".
    var log: [String] = []
    var connects: [(DeviceAddress, (RadioResult<Void>) -> Void)] = []
    /// What connecting gives; nil: the test answers by `connects`.
    var connectResult: RadioResult<Void>? = .success(())
    var values: [AttributeUUID: [UInt8]] = [:]
    var readResult: RadioResult<[UInt8]>?
    var writeResult: RadioResult<Void> = .success(())

    init(_ loop: EventLoop) { self.loop = loop }

    func start() { log.append("start") }
    func stop() { log.append("stop") }
    func knows(_ device: DeviceAddress) -> Bool { known.contains(device) }

    func connect(to device: DeviceAddress, then: @escaping (RadioResult<Void>) -> Void) {
        log.append("connect \(device.compact)")
        guard let connectResult else { return connects.append((device, then)) }
        later { [self] in
            if case .success = connectResult { connected.insert(device) }
            then(connectResult)
        }
    }

    func disconnect(from device: DeviceAddress) {
        log.append("disconnect \(device.compact)")
        connected.remove(device)
    }

    func read(_ place: CharacteristicPlace, then: @escaping (RadioResult<[UInt8]>) -> Void) {
        log.append("read \(place.uuid.short ?? 0)")
        let result = readResult ?? .success(values[place.uuid] ?? [])
        later { then(result) }
    }

    func write(_ bytes: [UInt8], to place: CharacteristicPlace, then: @escaping (RadioResult<Void>) -> Void) {
        log.append("write \(Hexadecimal.text(bytes))")
        let result = writeResult
        if case .success = result { values[place.uuid] = bytes }
        later { then(result) }
    }

    func notify(of place: CharacteristicPlace, then: @escaping (RadioResult<Void>) -> Void) {
        log.append("notify \(place.uuid.short ?? 0)")
        later { then(.success(())) }
    }

    func take() -> [String] {
        defer { log = [] }
        return log
    }

    private func later(_ body: @escaping () -> Void) { loop.schedule(after: .zero, body) }
}

/// Takes every PUBLISH, and remembers it as a line: "topic = payload", retained ones with "(r)" behind it.
final class ScriptedBroker: ByteStreamDelegate {
    var listener: (any Listener)?
    private(set) var subscriptions: [String] = []
    private(set) var will: Will?
    private var stream: ByteStream?
    private var published: [String] = []

    func accept(_ stream: ByteStream) {
        self.stream = stream
        stream.delegate = self
    }

    func take() -> [String] {
        defer { published = [] }
        return published
    }

    func send(_ topic: String, _ payload: String) {
        let packet = Array(topic.utf8).withUnsafeBytes { topic in
            Array(payload.utf8).withUnsafeBytes { payload in
                let head = PublishHead(topic: topic, qos: .atMostOnce)
                let length = head.encodedLength(version: .v5, payloadCount: payload.count)
                return [UInt8](unsafeUninitializedCapacity: length) { bytes, count in
                    guard let memory = UnsafeMutableRawBufferPointer(bytes).baseAddress else { return }
                    count = head.encode(version: .v5, payload: payload, into: memory)
                }
            }
        }
        stream?.write(packet)
    }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        var consumed = 0
        while consumed < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
            guard let packet = try? readFrame(rest, maximum: .max, version: .v5) else { break }
            consumed += packet.length
            switch packet.type {
            case .connect:
                will = (try? Connect(packet))?.will
                stream.write(Connack().encode(version: .v5))
            case .subscribe:
                guard let subscribe = try? Subscribe(packet, version: .v5) else { break }
                subscriptions += subscribe.filters.map { String(decoding: $0.filter, as: UTF8.self) }
                let reasons = subscribe.filters.map { _ in ReasonCode.grantedQoS1 }
                stream.write(
                    Suback(packetIdentifier: subscribe.packetIdentifier, reasons: reasons).encode(version: .v5))
            case .publish: take(packet, stream)
            case .pingreq: stream.write(Ping.response)
            default: break
            }
        }
        return consumed
    }

    private func take(_ packet: RawPacket, _ stream: ByteStream) {
        guard let publish = try? PublishView(packet, version: .v5) else { return }
        let topic = String(decoding: publish.topic, as: UTF8.self)
        let payload = String(decoding: publish.payload, as: UTF8.self)
        published.append("\(topic) = \(payload)\(publish.retain ? " (r)" : "")")
        guard publish.qos != .atMostOnce else { return }
        stream.write(Acknowledgement(.puback, packetIdentifier: publish.packetIdentifier).encode(version: .v5))
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {}
}
