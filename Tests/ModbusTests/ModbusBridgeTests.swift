import Client
import Configuration
import EventLoop
import JSON
import MQTT
import Testing

@testable import Bridge
@testable import Modbus

/// A broker that takes everything, remembers it, and sends what the test says.
final class TestBroker: ByteStreamDelegate {
    private(set) var messages: [(topic: String, payload: String, retain: Bool)] = []
    private(set) var filters: [String] = []
    private var stream: ByteStream?
    private var listener: (any Listener)?

    init(on network: MemoryNetwork) throws {
        listener = try network.listen(.tcp(host: "broker", port: 1883)) { [weak self] in
            self?.stream = $0
            $0.delegate = self
        }
    }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        var consumed = 0
        while consumed < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
            guard let packet = try? readFrame(rest, maximum: .max, version: .v5) else { break }
            consumed += packet.length
            switch packet.type {
            case .connect: stream.write(Connack().encode(version: .v5))
            case .pingreq: stream.write(Ping.response)
            case .publish: take(packet)
            case .subscribe:
                guard let subscribe = try? Subscribe(packet, version: .v5) else { continue }
                filters += subscribe.filters.map { String(decoding: $0.filter, as: UTF8.self) }
                stream.write(
                    Suback(
                        packetIdentifier: subscribe.packetIdentifier,
                        reasons: subscribe.filters.map { _ in .grantedQoS1 }
                    )
                    .encode(version: .v5))
            default: break
            }
        }
        return consumed
    }

    private func take(_ packet: RawPacket) {
        guard let publish = try? PublishView(packet, version: .v5) else { return }
        messages.append(
            (
                String(decoding: publish.topic, as: UTF8.self), String(decoding: publish.payload, as: UTF8.self),
                publish.retain
            ))
        guard publish.qos == .atLeastOnce else { return }
        stream?.write(
            Acknowledgement(.puback, packetIdentifier: publish.packetIdentifier, reason: .success).encode(version: .v5))
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {}

    func send(_ topic: String, _ payload: String) {
        Array(topic.utf8).withUnsafeBytes { topic in
            Array(payload.utf8).withUnsafeBytes { payload in
                let head = PublishHead(topic: topic)
                let length = head.encodedLength(version: .v5, payloadCount: payload.count)
                let bytes = [UInt8](unsafeUninitializedCapacity: length) { bytes, count in
                    guard let memory = UnsafeMutableRawBufferPointer(bytes).baseAddress else { return }
                    count = head.encode(version: .v5, payload: payload, into: memory)
                }
                stream?.write(bytes)
            }
        }
    }

    func payloads(_ topic: String) -> [String] { messages.filter { $0.topic == topic }.map(\.payload) }

    func forget() { messages = [] }
}

/// The bridge between devices and a broker, on virtual time.
@Suite struct ModbusBridgeTests {
    final class Running {
        let rig: Rig
        let broker: TestBroker
        let connection: BridgeConnection
        let bridge: ModbusBridge

        init(_ points: String, device: String = "", module: String = "") throws {
            rig = try Rig(.tcp)
            broker = try TestBroker(on: rig.network)
            let json = """
                {\(module) "connection": [{"name": "plc", "url": "tcp://plc:502", "device": [
                {"name": "press-7", \(device) "point": [\(points)]}]}]}
                """
            let settings = try ModuleTable.read(
                ModbusSettings.self, from: try ModuleInput.table(from: Array(json.utf8))
            ) { $0.check($1) }
            connection = BridgeConnection(loop: rig.loop, network: rig.network, module: "line-b", node: "edge-1")
            bridge = ModbusBridge(settings, connection)
            connection.onConnect = { [bridge] in bridge.start() }
            rig.network.connect(to: .tcp(host: "broker", port: 1883), timeout: .seconds(1)) { [connection] result in
                if case .success(let stream) = result { connection.open(over: stream) }
            }
        }

        deinit { for poller in bridge.pollers { poller.stop() } }

        func pass(_ duration: Duration) { rig.pass(duration) }

        /// The payloads of a topic without their times.
        func told(_ topic: String) -> [String] {
            broker.payloads(topic).map { text in
                guard let comma = text.firstRange(of: ",\"timestamp\":") else { return text }
                return String(text[..<comma.lowerBound])
            }
        }
    }

    private static let value =
        #"{"name": "p", "table": "holding", "address": 7, "unit": "°C", "scale": 0.1, "writable": true"#

    @Test func whatChangesIsPublishedAndOnceAMinuteAllTheSame() throws {
        let running = try Running(Self.value + "}")
        running.pass(.seconds(10))
        #expect(running.told("modbus/plc/press-7/p") == [#"{"value":100.7,"unit":"°C""#])
        running.rig.device.holdings[7] = 1008
        running.pass(.seconds(2))
        #expect(running.told("modbus/plc/press-7/p").last == #"{"value":100.8,"unit":"°C""#)
        running.broker.forget()

        running.pass(.seconds(180))

        #expect(running.told("modbus/plc/press-7/p").count == 3)
    }

    @Test func everyReadingIfAskedFor() throws {
        let running = try Running(Self.value + #", "on_change": false}"#, module: #""format": "plain", "qos": 0,"#)
        running.pass(.seconds(10))

        let told = running.told("modbus/plc/press-7/p")
        #expect((10...11).contains(told.count))
        #expect(Set(told) == ["100.7"])
    }

    @Test func deadbandAndTopicOfItsOwn() throws {
        let running = try Running(
            Self.value + #", "deadband": 0.5}"#,
            module: #""topic": "plant/{node}/{device}/{point}", "format": "plain","#)
        for step in 0..<10 {
            running.rig.device.holdings[7] = UInt16(1007 + 2 * step)
            running.pass(.seconds(1))
        }

        #expect(running.told("plant/edge-1/press-7/p") == ["100.7", "101.3", "101.9", "102.5"])
    }

    /// Whatever reasons follow each other, an outage is one bad message.
    @Test func anOutageIsOneEpisode() throws {
        let running = try Running(Self.value + "}")
        running.pass(.seconds(3))
        running.broker.forget()

        running.rig.server.misbehaves = { _ in true }
        running.pass(.seconds(100))
        running.rig.server.dropConnections()
        running.rig.server.misbehaves = { exchange in
            exchange.stream.close()
            return true
        }
        running.pass(.seconds(100))
        running.rig.server.misbehaves = nil
        running.pass(.seconds(130))

        let told = Array(running.told("modbus/plc/press-7/p").prefix(2))
        #expect(told == [#"{"quality":"bad","error":"no answer in time""#, #"{"value":100.7,"unit":"°C""#])
        #expect(running.told("modbus/plc/press-7/_state") == ["offline", "online"])
        let states = running.broker.messages.filter { $0.topic.hasSuffix("_state") }
        #expect(states.allSatisfy { $0.retain })
    }

    @Test func writesAreAnswered() throws {
        let running = try Running(
            Self.value + "}, " + #"{"name": "lamp", "table": "coil", "address": 3, "writable": true}"#)
        running.pass(.seconds(2))
        #expect(running.broker.filters == ["modbus/plc/press-7/+/set"])
        func set(_ point: String, _ payload: String) -> String? {
            running.broker.send("modbus/plc/press-7/\(point)/set", payload)
            running.pass(.seconds(1))
            return running.told("modbus/plc/press-7/\(point)/set/result").last
        }

        #expect(set("p", #"{"value": 21.5, "id": "a"}"#) == #"{"ok":true,"value":21.5,"id":"a""#)
        #expect(running.rig.device.holdings[7] == 215)
        #expect(running.told("modbus/plc/press-7/p").last == #"{"value":21.5,"unit":"°C""#)
        #expect(set("p", "30") == #"{"ok":true,"value":30"#)
        #expect(set("p", "7000") == #"{"ok":false,"error":"7000 is out of range (uint16: 0 to 6553.5)","value":7000"#)
        #expect(set("p", "1.23") == #"{"ok":false,"error":"1.23 is not one of its steps (0.1 each)","value":1.23"#)
        #expect(set("p", "{}") == #"{"ok":false,"error":"not a value: {\"value\": 21.5}, or 21.5""#)
        #expect(set("lamp", "true") == #"{"ok":true,"value":true"#)
        #expect(running.rig.device.coils[3])
        running.rig.server.misbehaves = { _ in true }
        running.broker.send("modbus/plc/press-7/lamp/set", "0")
        running.pass(.seconds(3))
        let last = running.told("modbus/plc/press-7/lamp/set/result").last
        #expect(last == #"{"ok":false,"error":"no answer in time; it may have been written all the same","value":0"#)
    }

    @Test func theTwinsWishIsWrittenAndConfirmed() throws {
        let running = try Running(
            Self.value + "}, " + #"{"name": "q", "table": "input", "address": 1}"#, device: #""twin": true,"#)
        running.pass(.seconds(2))
        let topic = "$hw/events/device/press-7"
        #expect(running.broker.filters.contains("\(topic)/twin/update/delta"))
        #expect(running.told("\(topic)/state/update").isEmpty == false)
        #expect(
            running.broker.payloads("\(topic)/twin/update").contains {
                $0.contains(#""p":{"actual":{"value":"100.7"}"#)
            })
        running.broker.forget()

        running.broker.send(
            "\(topic)/twin/update/delta", #"{"event_id":"1","timestamp":1,"twin":{},"delta":{"p":"21.5","q":"3"}}"#)
        running.pass(.seconds(3))

        #expect(running.rig.device.holdings[7] == 215)
        #expect(running.rig.device.inputs[1] == 2001)
        #expect(
            running.broker.payloads("\(topic)/twin/update").contains { $0.contains(#""p":{"actual":{"value":"21.5"}"#) }
        )
    }

    @Test func figuresOfAConnection() throws {
        let running = try Running(Self.value + "}", module: #""statistics": 10,"#)
        running.pass(.seconds(25))

        let figures = running.broker.payloads("modbus/plc/_connection/_statistics").compactMap { JSON(Array($0.utf8)) }
        #expect(figures.count == 2)
        #expect(figures[0]["requests"] == .number(10))
        #expect(figures[1]["requests"] == .number(20))
        #expect(figures[1]["online"] == .number(1))
        #expect(figures[1]["lateness_ms"]?["p99"] != nil)
    }

    @Test func identityIsRetained() throws {
        let running = try Running(Self.value + "}", device: #""identify": true,"#)
        running.rig.device.identification = [0: "Acme", 1: "P7", 2: "1.0"]
        running.pass(.seconds(3))

        #expect(
            running.broker.payloads("modbus/plc/press-7/_identity") == [
                #"{"vendor":"Acme","product_code":"P7","revision":"1.0"}"#
            ])
    }

    @Test func aWriteUnderWayIsFinishedBeforeTheEnd() throws {
        let running = try Running(Self.value + "}")
        running.pass(.seconds(2))
        running.rig.server.misbehaves = { exchange in
            running.rig.loop.schedule(after: .milliseconds(200)) { exchange.stream.write(exchange.answer) }
            return true
        }
        running.broker.send("modbus/plc/press-7/p/set", "21.5")
        running.pass(.milliseconds(50))
        var isStopped = false

        running.bridge.stop { isStopped = true }
        running.pass(.milliseconds(100))
        #expect(!isStopped)
        running.pass(.seconds(2))

        #expect(isStopped)
        #expect(running.told("modbus/plc/press-7/p/set/result") == [#"{"ok":true,"value":21.5"#])
        #expect(running.told("modbus/plc/press-7/_state").last == "offline")
    }
}
