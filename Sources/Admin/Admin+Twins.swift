import EventLoop
import JSON
import Twin

/// `roost twin`: device twins, as docs/twin.md tells of them. `?node=` names another node whose twins are kept here.
extension Admin {
    func twinList(_ call: HTTPCall) -> HTTPResponse {
        guard let twins else { return noTwins }
        return HTTPResponse(
            .ok, contentType: "application/json", body: twins.list(of: call.request.target.query("node")) + [10])
    }

    func twin(_ call: HTTPCall) -> HTTPResponse {
        guard let twins else { return noTwins }
        let id = twinID(call)
        guard let shown = twins.show(id) else {
            return .failure(.notFound, "no device \(id.device). See them all: roost twin list")
        }
        return HTTPResponse(.ok, contentType: "application/json", body: shown + [10])
    }

    /// The body is what one would publish on `twin/update`.
    func changeTwin(_ call: HTTPCall) {
        guard let twins else { return call.answer(noTwins) }
        let id = twinID(call)
        actions.log(.info, "twin \(id.device): changed by an administrator")
        twins.update(id, call.request.body) { call.answer(Self.response($0)) }
    }

    func addTwin(_ call: HTTPCall) {
        guard let twins else { return call.answer(noTwins) }
        let id = twinID(call)
        actions.log(.notice, "device \(id.device): added by an administrator")
        twins.add(id, call.request.body) { call.answer(Self.response($0)) }
    }

    func removeTwin(_ call: HTTPCall) {
        guard let twins else { return call.answer(noTwins) }
        let id = twinID(call)
        actions.log(.notice, "device \(id.device): removed by an administrator")
        twins.remove(id) { call.answer(Self.response($0)) }
    }

    private func twinID(_ call: HTTPCall) -> TwinID {
        TwinID(node: call.request.target.query("node"), device: call.name)
    }

    private static func response(_ outcome: DeviceTwins.Outcome) -> HTTPResponse {
        switch outcome {
        case .done(let body) where body.isEmpty: return .done
        case .done(let body): return HTTPResponse(.ok, contentType: "application/json", body: body + [10])
        case .refused(let code, let reason):
            let status: HTTPStatus =
                switch code {
                case 404: .notFound
                case 409: .conflict
                case 500: .serviceUnavailable
                default: .badRequest
                }
            return .failure(status, reason)
        }
    }

    private var noTwins: HTTPResponse { .failure(.notFound, "this node keeps no twins (twin.enabled = false)") }

    func addTwins(_ twins: DeviceTwins, to text: inout PrometheusText) {
        text.add("roost_twins", .gauge, "Devices with a twin, other nodes' included.", twins.count)
        text.add("roost_twin_bytes", .gauge, "Bytes of twins in memory.", twins.bytes)
        text.add("roost_twins_pending", .gauge, "Twins with changes that wait for the link.", twins.pendingCount)
        text.add("roost_twin_updates_total", .counter, "Messages that changed a twin.", twins.updates)
        text.add("roost_twin_refusals_total", .counter, "Messages to twins that were refused.", twins.refusals)
    }
}
