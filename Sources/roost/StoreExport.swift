import Glibc
import MQTT
import Store
import Uplink

/// Writes the log's route segments as batches (docs/formats.md), one a segment, oldest first within a stream.
struct StoreExport {
    /// Where the batches go.
    struct Target {
        fileprivate let descriptor: Int32
        fileprivate let name: String

        init(path: String?) throws {
            name = path ?? "standard output"
            guard let path else {
                descriptor = STDOUT_FILENO
                return
            }
            descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                let advice = errno == EEXIST ? "; it is left alone: name another file, or remove it" : ""
                throw Failure.refused("\(path): \(String(cString: strerror(errno)))\(advice)")
            }
        }

        fileprivate func write(_ bytes: [UInt8]) throws {
            let written = bytes.withUnsafeBytes { Terminal.writeAll($0, to: descriptor) }
            guard written else { throw Failure.refused("\(name): \(String(cString: strerror(errno)))") }
        }

        /// What was written is on the disk.
        fileprivate func finish() throws {
            guard descriptor != STDOUT_FILENO else { return }
            guard fsync(descriptor) == 0 else { throw Failure.refused("\(name): \(String(cString: strerror(errno)))") }
            close(descriptor)
        }
    }

    static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "node" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private let givenNode: String?
    /// As given, else as the daemon noted it in the database, else the host's name.
    private var node = ""
    private let route: String?
    private let target: Target
    private var runs: [Int64: RunRecord] = [:]
    private(set) var messages = 0
    private(set) var batches = 0
    private(set) var bytes = 0

    init(node: String?, route: String?, target: Target) {
        givenNode = node
        self.route = route
        self.target = target
    }

    mutating func run(_ database: Database) throws {
        let state = try database.load()
        for run in state.runs { runs[run.ordinal] = run }
        let noted = state.states.first { $0.kind == .node && $0.key.isEmpty }.map {
            String(decoding: $0.value, as: UTF8.self)
        }
        node = givenNode ?? noted ?? Self.hostName
        var failure: (any Error)?
        try database.forEachSegment { stream, segment in
            guard failure == nil, case .route(let name) = stream.kind, route ?? name == name else { return }
            do { try write(segment, of: stream, route: name) } catch { failure = error }
        }
        if let failure { throw failure }
        try target.finish()
    }

    private mutating func write(_ segment: StoredSegment, of stream: StreamRecord, route: String) throws {
        let run = runs[stream.run]
        let now = LocalTime.now
        let header = BatchHeader(
            node: node, route: route, run: BatchRun(epoch: run?.epoch ?? 0, lane: stream.lane), sequence: segment.first,
            madeAt: WallTime(milliseconds: Int64(now.seconds) * 1000 + Int64(now.nanoseconds / 1_000_000)))
        let packets = stamped(segment, wallOffset: run?.wallOffset ?? 0, clockSet: run?.clockSet ?? false)
        let batch = LZ4.skippable(header.encoded()) + LZ4.compress(frame: packets, level: .high(9))
        try target.write(batch)
        messages += segment.count
        batches += 1
        bytes += batch.count
    }

    /// The segment's packets with `t` and `via` behind their properties.
    private func stamped(_ segment: StoredSegment, wallOffset: Int64, clockSet: Bool) -> [UInt8] {
        var index = SegmentIndex.Reader(segment.index)
        var stamped: [UInt8] = []
        stamped.reserveCapacity(segment.packets.count + segment.count * 48)
        segment.packets.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
                guard let packet = try? readFrame(rest, maximum: .max) else { return }
                offset += packet.length
                let received = (index.next()?.receivedAt ?? segment.receivedAt) + wallOffset
                guard let publish = try? PublishView(packet, version: .v5) else { continue }
                append(publish, time: clockSet ? "\(received)" : "\(received)?", to: &stamped)
            }
        }
        return stamped
    }

    private func append(_ publish: PublishView, time: String, to packets: inout [UInt8]) {
        var properties = PropertyWriter(Array(publish.properties))
        properties.append(UserProperty("t", time))
        properties.append(UserProperty("via", node))
        properties.bytes.withUnsafeBytes { properties in
            let head = PublishHead(
                topic: publish.topic, qos: publish.qos, retain: publish.retain,
                packetIdentifier: publish.packetIdentifier, properties: properties)
            let length = head.encodedLength(version: .v5, payloadCount: publish.payload.count)
            packets += [UInt8](unsafeUninitializedCapacity: length) { bytes, count in
                guard let memory = UnsafeMutableRawBufferPointer(bytes).baseAddress else { return }
                count = head.encode(version: .v5, payload: publish.payload, into: memory)
            }
        }
    }
}
