import Broker
import MQTT
import Store
import Testing

@testable import Admin
@testable import Uplink

/// `GET /coverage`, with exactly the keys that users are told of.
@Suite final class CoverageEndpointTests {
    private let directory = TemporaryDirectory()
    private var ingest: Ingest?

    private func node() throws -> (Node, Ingest) {
        let node = try Node(directory.path, routes: [])
        let ingest = try Ingest(
            options: IngestOptions(node: "cloud"), sink: node.broker, stored: [], storeTime: { 1 })
        node.broker.receiver = ingest
        node.admin.ingest = ingest
        self.ingest = ingest
        return (node, ingest)
    }

    private func take(_ node: Node, _ header: BatchHeader, count: Int) {
        var packets = BatchPackets(mapping: .identity, node: header.node)
        for number in 0..<count {
            Array("plant/7".utf8).withUnsafeBytes { topic in
                let isAdded = packets.append(
                    topic: topic, properties: UnsafeRawBufferPointer(start: nil, count: 0), payload: topic,
                    qos: .atLeastOnce, retain: false,
                    receivedAt: WallTime(milliseconds: 1_732_413_600_000 + Int64(number)), remainingExpiry: nil)
                #expect(isAdded)
            }
        }
        var output = RawBytes()
        Batch.encode(header, packets: packets.bytes, level: .fast, compressor: LZ4Compressor(), into: &output)
        node.publish(Batch.topic(prefix: "roost/batch", node: header.node), [UInt8](output.bytes))
    }

    @Test func theKeysAreThose() throws {
        let (node, ingest) = try node()
        let run = BatchRun(epoch: 0xAB)
        let time = WallTime(milliseconds: 5, isSet: false)
        take(
            node,
            BatchHeader(
                node: "pump-7", route: "cloud/plant", run: run, sequence: 4, madeAt: WallTime(milliseconds: 99),
                gaps: [
                    BatchGap(run: run, first: 1, last: 2, reason: "evicted", from: time, to: WallTime(milliseconds: 9))
                ],
                ended: [BatchEnded(run: BatchRun(epoch: 1, lane: 2), last: nil, at: time)]),
            count: 2)

        #expect(
            try node.get("/coverage?node=pump-7")
                == #"[{"node":"pump-7","route":"cloud/plant","epoch":"0000000000000001","lane":2,"ended":"?","at":"0?","#
                + #""spans":[],"gaps":[],"missing":[]},"#
                + #"{"node":"pump-7","route":"cloud/plant","epoch":"00000000000000ab","lane":0,"ended":null,"at":99,"#
                + #""spans":[{"first":4,"last":5}],"gaps":[{"first":1,"last":2,"reason":"evicted","from":"5?","to":9}],"#
                + #""missing":[{"first":3,"last":3}]}]"# + "\n")
        #expect(try node.get("/coverage?times=1").contains(#""from":1732413600000,"to":1732413600001"#))
        #expect(try node.get("/metrics").contains("roost_ingest_messages_total 2\n"))
        #expect(ingest.figures.batches == 1)
    }

    @Test func sinceLeavesOutWhatIsOlder() throws {
        let (node, _) = try node()
        take(
            node,
            BatchHeader(
                node: "pump-7", route: "r", run: BatchRun(epoch: 1), sequence: 1,
                madeAt: WallTime(milliseconds: 1_732_413_600_500)), count: 3)

        #expect(try node.get("/coverage?since=1732413600002").contains(#""last":3"#))
        #expect(try node.get("/coverage?since=1732413600003").contains(#""spans":[]"#))
        #expect(try node.get("/coverage?since=1732413600501") == "[]\n")
    }

    @Test func whatIsAskedWronglyIsSaid() throws {
        let (node, _) = try node()

        #expect(try node.bench.ask("GET", "/coverage?node=nobody").status == 404)
        #expect(try node.bench.ask("GET", "/coverage?since=soon").status == 400)
        node.admin.ingest = nil
        #expect(try node.bench.ask("GET", "/coverage").body.contains("[ingest]"))
    }

    /// A run with many spans in each of very many nodes.
    private func fill(_ ingest: Ingest, nodes: Int, spans: Int) throws {
        let time = WallTime(milliseconds: 5)
        var state = ReceiverState()
        state.madeAt = time
        for span in 0..<spans { _ = try state.accept(UInt64(span * 2 + 1), count: 1, from: time, to: time) }
        for node in 0..<nodes {
            let key = ReceiverKey(node: "node-\(node)", route: "cloud/plant", run: BatchRun(epoch: UInt64(node)))
            ingest.states.set(key, state)
        }
    }

    @Test func thousandsOfNodesAreAnsweredWhole() throws {
        let (node, ingest) = try node()
        try fill(ingest, nodes: 3000, spans: 3)

        let answer = try node.get("/coverage")

        #expect(answer.utf8.count { $0 == UInt8(ascii: "\n") } == 1)
        #expect(answer.hasPrefix(#"[{"node":"node-0","#))
        #expect(answer.hasSuffix("]}]\n"))
        #expect(answer.components(of: #""node":""#) == 3000)
        #expect(try node.get("/coverage?since=6") == "[]\n")
    }

    @Test func noTickWritesMoreThanItsShare() throws {
        let (_, ingest) = try node()
        try fill(ingest, nodes: 300, spans: 100)
        let listing = CoverageListing(ingest, node: nil, since: nil, withTimes: false)

        var steps = 1
        while listing.step() == nil { steps += 1 }

        // Each run is 100 spans, 99 holes and itself.
        #expect(steps >= 300 * 200 / (CoverageListing.stepPieces + 200))
        #expect(CoverageListing(ingest, node: "node-7", since: nil, withTimes: false).step() != nil)
    }

    @Test func whatIsForgottenMeanwhileIsLeftOut() throws {
        let (_, ingest) = try node()
        try fill(ingest, nodes: 300, spans: 100)
        let listing = CoverageListing(ingest, node: nil, since: nil, withTimes: false)
        #expect(listing.step() == nil)
        let last = ReceiverKey(node: "node-99", route: "cloud/plant", run: BatchRun(epoch: 99))
        ingest.states.remove(last)

        var response: HTTPResponse?
        while response == nil { response = listing.step() }

        let text = String(decoding: response?.body ?? [], as: UTF8.self)
        #expect(text.components(of: #""node":""#) == 299)
    }
}

extension String {
    /// How often `part` is in it.
    fileprivate func components(of part: String) -> Int {
        let (bytes, wanted) = (Array(utf8), Array(part.utf8))
        return bytes.indices.count { bytes[$0...].starts(with: wanted) }
    }
}
