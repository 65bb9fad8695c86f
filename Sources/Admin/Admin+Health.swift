import EventLoop
import JSON
import Store

extension Admin {
    /// 200 while the daemon serves; what is wrong all the same makes it "degraded".
    func health(_ call: HTTPCall) -> HTTPResponse {
        answer(.ok, reasons: degradations, call)
    }

    /// 200 once every listener listens and the store is open; a store that failed is not, until it has recovered.
    func readiness(_ call: HTTPCall) -> HTTPResponse {
        guard !isReady || log.failure != nil else { return answer(.ok, reasons: degradations, call) }
        return answer(.serviceUnavailable, reasons: isReady ? degradations : ["not all listeners are up"], call)
    }

    private var degradations: [String] { warnings.filter(\.isDegrading).map(\.text) }

    /// Probes ask without a token and learn no more than the state.
    private func answer(_ status: HTTPStatus, reasons: [String], _ call: HTTPCall) -> HTTPResponse {
        .json(status) { json in
            json.object { json in
                json.member("status", reasons.isEmpty && status == .ok ? "ok" : "degraded")
                json.array("reasons") { json in
                    for reason in call.isTrusted ? reasons : [] { json.value(reason) }
                }
            }
        }
    }
}
