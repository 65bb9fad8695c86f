@testable import Store

/// PUBLISH packets and groups to store.
enum Sample {
    /// An MQTT 5 PUBLISH at QoS 1 with `payload` bytes of noise, which don't compress, or a pattern, which does.
    static func packet(_ number: UInt64, payload: Int = 150, random: Bool = false) -> [UInt8] {
        let topic = Array("plant/line-b/press-7/temperature".utf8)
        var noise = number &* 0x9E37_79B9_7F4A_7C15 | 1
        let content = (0..<payload).map { index in
            guard random else { return UInt8(truncatingIfNeeded: Int(number) &+ index % 7) }
            noise ^= noise << 13
            noise ^= noise >> 7
            noise ^= noise << 17
            return UInt8(truncatingIfNeeded: noise >> 32)
        }
        let rest = [0, UInt8(topic.count)] + topic + [0, 1, 0] + content
        var length = rest.count
        var packet: [UInt8] = [0x32]
        repeat {
            packet.append(UInt8(length & 0x7F) | (length > 0x7F ? 0x80 : 0))
            length >>= 7
        } while length > 0
        return packet + rest
    }

    static func segment(
        _ stream: Int64, _ first: UInt64, count: Int = 1, payload: Int = 150, random: Bool = false,
        at time: Int64? = nil
    ) -> SegmentWrite {
        var packets: [UInt8] = []
        var index = SegmentIndex()
        let start = time ?? Int64(first) * 10
        for number in first..<(first + UInt64(count)) {
            packets += packet(number, payload: payload, random: random)
            index.append(laneSequence: number, receivedAt: start + Int64(number - first))
        }
        return SegmentWrite(
            stream: StreamID(rawValue: stream), first: first, count: count, packets: packets, index: index.bytes,
            receivedAt: start, expiry: .max)
    }

    static func route(
        _ id: Int64, _ name: String = "cloud/all", run: Int64 = 1, class evictionClass: EvictionClass = .normal,
        ttl: Int64 = 1_000_000_000, budget: Int64 = .max
    ) -> StreamRecord {
        StreamRecord(
            id: StreamID(rawValue: id), kind: .route(name), run: run, lane: 0, evictionClass: evictionClass, ttl: ttl,
            budgetBytes: budget)
    }

    static func group(_ number: UInt64, _ segments: [SegmentWrite] = [], _ changes: [Change] = []) -> CommitGroup {
        CommitGroup(number: number, segments: segments, changes: changes)
    }
}

extension Database {
    /// All that a stream holds.
    func all(_ stream: Int64) throws(StoreError) -> [StoredSegment] {
        try read(stream: StreamID(rawValue: stream), from: 0, maximumBytes: .max).segments
    }

    func counters(_ stream: Int64) throws -> StoredState.Stream? {
        try load().streams.first { $0.record.id.rawValue == stream }
    }
}
