import Glibc
import MQTT
import Store

@testable import Uplink

/// A message as tests write it down.
struct Sample: Equatable {
    var topic = "plant/7/temperature"
    var payload = "21.5"
    var qos = QoS.atLeastOnce
    var retain = false
    var properties: [UInt8] = []
    var time = WallTime(milliseconds: 1_732_413_600_123)
    var expiry: UInt32?
}

/// A message as it comes out of a batch.
struct Inner: Equatable {
    var topic: String
    var payload: String
    var qos: QoS
    var retain: Bool
    var expiry: UInt32?
    /// Names and values of User Properties.
    var user: [String]

    init(_ view: PublishView) {
        topic = String(decoding: view.topic, as: UTF8.self)
        payload = String(decoding: view.payload, as: UTF8.self)
        qos = view.qos
        retain = view.retain
        expiry = view.messageExpiryInterval
        user = []
        for property in PropertyReader(view.properties) {
            guard case .pair(let name, let value) = property.value else { continue }
            user.append(String(decoding: name, as: UTF8.self) + "=" + String(decoding: value, as: UTF8.self))
        }
    }
}

extension BatchPackets {
    mutating func add(_ sample: Sample) {
        let taken = append(sample)
        precondition(taken)
    }

    mutating func append(_ sample: Sample) -> Bool {
        let topic = Array(sample.topic.utf8)
        let payload = Array(sample.payload.utf8)
        return topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                sample.properties.withUnsafeBytes { properties in
                    append(
                        topic: topic, properties: properties, payload: payload, qos: sample.qos, retain: sample.retain,
                        receivedAt: sample.time, remainingExpiry: sample.expiry)
                }
            }
        }
    }
}

func makeHeader(
    node: String = "pump-7", route: String = "cloud/plant", epoch: UInt64 = 0x0123_4567_89AB_CDEF, lane: UInt16 = 0,
    sequence: UInt64 = 1, gaps: [BatchGap] = [], ended: [BatchEnded] = []
) -> BatchHeader {
    BatchHeader(
        node: node, route: route, run: BatchRun(epoch: epoch, lane: lane), sequence: sequence,
        madeAt: WallTime(milliseconds: 1_732_413_600_999), gaps: gaps, ended: ended)
}

/// A whole batch of the samples.
func makeBatch(
    _ samples: [Sample], header: BatchHeader = makeHeader(), mapping: TopicMapping = .identity,
    level: BatchLevel = .fast
) -> [UInt8] {
    var packets = BatchPackets(mapping: mapping, node: header.node)
    for sample in samples { packets.add(sample) }
    return makeBatch(packets: packets.bytes, header: header, level: level)
}

func makeBatch(packets: UnsafeRawBufferPointer, header: BatchHeader, level: BatchLevel = .fast) -> [UInt8] {
    var output = RawBytes()
    Batch.encode(header, packets: packets, level: level, compressor: LZ4Compressor(), into: &output)
    return [UInt8](output.bytes)
}

func openBatch(_ bytes: [UInt8], limitBytes: Int = 1 << 20) throws -> (BatchHeader, [Inner], length: Int) {
    let reader = BatchReader(limitBytes: limitBytes)
    return try bytes.withUnsafeBytes { bytes in
        let opened = try reader.open(bytes)
        return (opened.header, opened.packets.map { Inner($0) }, opened.length)
    }
}

/// Of PUBLISH packets end to end.
func payloads(of packets: UnsafeRawBufferPointer) -> [String] {
    var payloads: [String] = []
    var rest = packets
    while let packet = try? readFrame(rest, maximum: .max), let view = try? PublishView(packet, version: .v5) {
        payloads.append(Inner(view).payload)
        rest = UnsafeRawBufferPointer(rebasing: rest[packet.length...])
    }
    return payloads
}
