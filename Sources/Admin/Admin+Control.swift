import Broker

extension Admin {
    /// `roost log LEVEL`: until the daemon restarts.
    func setLogLevel(_ word: String) -> HTTPResponse {
        let levels: [(word: String, level: Severity)] = [
            ("trace", .trace), ("debug", .debug), ("info", .info), ("notice", .notice), ("warning", .warning),
            ("error", .error),
        ]
        guard let level = levels.first(where: { $0.word == word })?.level else {
            let words = levels.map(\.word).joined(separator: ", ")
            return .failure(.badRequest, "\"\(word)\" is not a level; use \(words)")
        }
        actions.log(.notice, "log level \(word), by an administrator")
        actions.setLogLevel(level)
        return .done
    }

    /// `roost reload`.
    func reload(_ call: HTTPCall) {
        actions.reload { reason in call.answer(reason.map { .failure(.conflict, $0) } ?? .done) }
    }
}
