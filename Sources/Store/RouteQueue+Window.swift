/// What a sender at QoS 2 has to know again after a sudden end: kept beside the route's messages, and committed with what is
/// known of them.
extension RouteQueue {
    static func storedWindow(_ name: String, in state: StoredState) -> [UInt8]? {
        state.states.first { $0.kind == .window && $0.key == Array(name.utf8) }?.value
    }

    /// Commits the sender's window with every message that it may name, and with all that the route has done with; then calls
    /// `action`.
    public func commitWindow(_ window: [UInt8], then action: @escaping () -> Void) {
        log.commitStream(current.stream)
        log.commit([.state(.window, key: Array(name.utf8), value: window)], then: action)
    }

    /// The message was acknowledged, or will never be sent.
    public func isDone(_ numbering: Numbering, _ number: UInt64) -> Bool {
        lane(numbering)?.isFinished(number) ?? true
    }

    /// Where the messages of a run count.
    public func numbering(run: Int64, lane: UInt16) -> Numbering {
        Numbering(run: run, epoch: epoch(ofRun: run), lane: lane)
    }
}
