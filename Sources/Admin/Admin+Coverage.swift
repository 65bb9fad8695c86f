import JSON
import Uplink

extension Admin {
    /// `roost coverage`: `?node=` of one node alone, `?since=` milliseconds since 1970 UTC. With `?times=1` spans have the
    /// times at which the node received their first and last message, which is what the text for people is made of.
    func coverage(_ call: HTTPCall) {
        guard let ingest else {
            return call.answer(
                .failure(
                    .notFound,
                    "this node receives no batches: [ingest] enabled = true in roost.toml, or ask a roost ingest by "
                        + "--socket"))
        }
        var since: Int64?
        if let text = call.request.target.query("since") {
            guard let time = Int64(text) else {
                return call.answer(.failure(.badRequest, "since=\(text): milliseconds since 1970 UTC"))
            }
            since = time
        }
        let node = call.request.target.query("node")
        if let node, ingest.states[node: node].isEmpty {
            return call.answer(
                .failure(.notFound, "nothing has ever come from node \(node). Those that are known: roost coverage"))
        }
        let withTimes = call.request.target.query("times") == "1"
        goOn(CoverageListing(ingest, node: node, since: since, withTimes: withTimes), call)
    }

    /// One step a tick.
    private func goOn(_ listing: CoverageListing, _ call: HTTPCall) {
        if let response = listing.step() { return call.answer(response) }
        broker.loop.schedule(after: .zero) { [weak self] in self?.goOn(listing, call) }
    }
}

extension Coverage {
    func write(to json: inout JSONWriter, withTimes: Bool) {
        json.object { json in
            json.member("node", key.node)
            json.member("route", key.route)
            json.member("epoch", key.run.epochText)
            json.member("lane", Int(key.run.lane))
            if let ended = state.ended {
                if let last = ended.last { json.member("ended", last) } else { json.member("ended", "?") }
            } else {
                json.member("ended", nil as UInt64?)
            }
            json.member("at", state.madeAt)
            json.array("spans") { json in
                for span in state.spans {
                    json.object { json in
                        json.member("first", span.first)
                        json.member("last", span.last)
                        guard withTimes else { return }
                        json.member("from", span.from)
                        json.member("to", span.to)
                    }
                }
            }
            json.array("gaps") { json in
                for gap in state.foldedGaps + state.gaps {
                    json.object { json in
                        json.member("first", gap.first)
                        json.member("last", gap.last)
                        json.member("reason", gap.reason)
                        json.member("from", gap.from)
                        json.member("to", gap.to)
                    }
                }
            }
            json.array("missing") { json in
                for range in missing {
                    json.object { json in
                        json.member("first", range.lowerBound)
                        json.member("last", range.upperBound)
                    }
                }
            }
            guard withTimes else { return }
            if let ended = state.ended { json.member("ended_at", ended.at) }
            // Only while nothing newer is known to exist.
            if let quiet = state.quiet, quiet.next == state.highest + 1 { json.member("quiet_at", quiet.at) }
        }
    }
}

/// Milliseconds since 1970 UTC; a text with a `?` behind where the node's clock was never set.
extension WallTime: JSONScalar {
    public func write(into bytes: inout [UInt8]) {
        if isSet { milliseconds.write(into: &bytes) } else { "\(max(0, milliseconds))?".write(into: &bytes) }
    }
}
