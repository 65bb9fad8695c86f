import JSON
import Uplink

/// The answer to `GET /coverage`, written in steps: what has come from thousands of nodes must not hold up the loop that
/// receives from them. Each step sees its nodes as they are then; those that come meanwhile are left to the next question.
final class CoverageListing {
    /// Spans, gaps and holes that one step writes at most, but for the rest of a run: about a millisecond's work.
    static let stepPieces = 2000
    /// Nodes that one step looks at, even where all of them are left out.
    static let stepNodes = 500

    private weak var ingest: Ingest?
    private var nodes: ArraySlice<String>
    private var runs: ArraySlice<Coverage> = []
    private let since: Int64?
    private let withTimes: Bool
    private var body: [UInt8] = [UInt8(ascii: "[")]

    init(_ ingest: Ingest, node: String?, since: Int64?, withTimes: Bool) {
        self.ingest = ingest
        self.since = since
        self.withTimes = withTimes
        nodes = node.map { [$0] } ?? ingest.states.nodeNames[...]
    }

    /// Goes on; nil while there is more to write.
    func step() -> HTTPResponse? {
        var pieces = 0
        var looked = 0
        while pieces < Self.stepPieces {
            if let run = runs.popFirst() {
                pieces += run.pieces
                append(run)
                continue
            }
            guard let ingest, let node = nodes.popFirst() else {
                return HTTPResponse(.ok, contentType: "application/json", body: body + Array("]\n".utf8))
            }
            runs = ingest.coverage(of: node, since: since)[...]
            looked += 1
            if looked >= Self.stepNodes { return nil }
        }
        return nil
    }

    private func append(_ run: Coverage) {
        if body.count > 1 { body.append(UInt8(ascii: ",")) }
        var json = JSONWriter()
        run.write(to: &json, withTimes: withTimes)
        body += json.bytes
    }
}

extension Coverage {
    fileprivate var pieces: Int {
        1 + state.spans.count + state.gaps.count + state.foldedGaps.count + missing.count
    }
}
