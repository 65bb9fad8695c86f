import ArgumentParser

extension UplinkCommand {
    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "test",
            abstract: "Try an uplink's addresses, login and rights, step by step.",
            discussion: """
                The running daemon tries it, beside the uplink's own connection and under a
                client identifier of its own (`-test` behind the uplink's), so that nothing is
                disturbed. It publishes one empty batch.

                EXAMPLE
                  roost uplink test cloud
                """)
        @OptionGroup var target: Target

        func run() throws {
            let body = try target.admin.post("/uplink/\(try target.chosenName().percentEncoded)/test")
            let trial = try Document.decode(UplinkTrialDocument.self, body)
            if target.admin.json { Document.print(body) } else { show(trial) }
            guard trial.ok else { throw ExitCode(1) }
        }

        private func show(_ trial: UplinkTrialDocument) {
            var table = Table([("step", .left), ("result", .left), ("time", .right), ("", .left)])
            for step in trial.steps {
                let colour: Terminal.Colour? =
                    switch step.result {
                    case "ok": .green
                    case "failed": .red
                    default: .yellow
                    }
                table.add([
                    .init(step.step), .init(step.result, colour), .init("\(step.milliseconds) ms"), .init(step.text),
                ])
            }
            Terminal.say(table.text)
        }
    }
}

struct UplinkTrialDocument: Decodable {
    struct Step: Decodable {
        var step: String
        var result: String
        var text: String
        var milliseconds: Int64
    }

    var ok: Bool
    var steps: [Step]
}
