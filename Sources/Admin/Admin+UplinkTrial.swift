import JSON
import Uplink

extension Admin {
    /// `roost uplink test`: answers when every address was tried.
    func test(_ call: HTTPCall) {
        guard let uplink = uplinks.first(where: { $0.report.name == call.name }) else {
            return call.answer(unknown(uplink: call.name))
        }
        actions.log(.notice, "uplink \(call.name): test, by an administrator")
        uplink.test { steps in
            call.answer(
                .json { json in
                    json.object { json in
                        json.member("ok", !steps.isEmpty && !steps.contains { $0.isGood == false })
                        json.array("steps") { json in
                            for step in steps {
                                json.object { json in
                                    json.member("step", step.name)
                                    json.member("result", step.isGood.map { $0 ? "ok" : "failed" } ?? "not tried")
                                    json.member("text", step.text)
                                    json.member("milliseconds", step.milliseconds)
                                }
                            }
                        }
                    }
                })
        }
    }
}
