import Bridge
import EventLoop

/// One point's way to the broker: its topic, and which of its readings are worth a message.
struct PointPublisher {
    let name: String
    let topic: String
    let unit: String
    private var gate: ChangeGate
    /// Why it has no value, while it has none: the first reason of the episode, whatever others follow.
    private var failure: Reading.Outcome?

    init(_ settings: PointSettings, topic: String) {
        name = settings.name
        self.topic = topic
        unit = settings.unit
        gate = ChangeGate(
            onChange: settings.onChange, deadband: settings.deadband,
            heartbeat: settings.heartbeat > .zero ? settings.heartbeat : nil)
    }

    /// What is to be published of this outcome; nil: nothing.
    mutating func publishes(_ outcome: Reading.Outcome, at now: Instant) -> Reading.Outcome? {
        switch outcome {
        case .good:
            failure = nil
            return gate.passes(outcome, at: now) ? outcome : nil
        case .bad:
            guard failure == nil else { return nil }
            failure = outcome
            return gate.passes(outcome, at: now) ? outcome : nil
        }
    }
}
