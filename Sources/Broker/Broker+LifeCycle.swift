import MQTT

/// `$hw/events/connected/{client}` and `$hw/events/disconnected/{client}`: for those who ask, since most don't.
extension Broker {
    func tellLifeCycle(_ event: String, of session: Session) {
        guard twins != nil, !isStopping, tree.hasFilters(below: "$hw") || routes.contains(where: \.isForTwins) else {
            return
        }
        let client = text(session.clientIdentifier)
        // A name that no topic can have is nobody's whom one could ask for.
        guard !client.isEmpty, !client.contains(where: { $0 == "+" || $0 == "#" }) else { return }
        let topic = "$hw/events/\(event)/\(client)"
        guard isWanted(topic) else { return }
        var answer = TwinAnswer()
        answer.messages = [
            OwnMessage(topic, Array("{\"event_type\":\"\(event)\",\"timestamp\":\(wallTime)}".utf8))
        ]
        say(answer)
    }
}

extension Route {
    /// It may carry what begins with `$hw/`.
    fileprivate var isForTwins: Bool { filters.contains { $0.starts(with: "$hw/".utf8) } }
}
