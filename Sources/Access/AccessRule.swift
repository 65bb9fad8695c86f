import Broker
import MQTT

/// One line of rights: a Topic Filter, and what it allows or denies.
struct AccessRule: Sendable, Equatable {
    enum Kind: Sendable {
        case read, write, readWrite
        /// Neither, whatever other rules say.
        case deny

        var allowsReading: Bool { self == .read || self == .readWrite }
        var allowsWriting: Bool { self == .write || self == .readWrite }
    }

    var kind: Kind
    var filter: [UInt8]

    init(_ kind: Kind, _ filter: some Sequence<UInt8>) {
        self.kind = kind
        self.filter = Array(filter)
    }

    func matches(_ topic: UnsafeRawBufferPointer) -> Bool {
        filter.withUnsafeBytes { TopicFilter.matches(filter: $0, topic: topic) }
    }
}

extension [AccessRule] {
    /// What denies comes first, as in mosquitto: then the first rule that says something decides.
    func ordered() -> [AccessRule] { filter { $0.kind == .deny } + filter { $0.kind != .deny } }
}

/// The rights of one client: its user's rules, and then the patterns, with its name and identifier filled in. What no rule
/// allows is denied.
final class RuledRights: TopicRights {
    private let stages: [[AccessRule]]

    /// - Parameter stages: each ordered; the first rule of the first stage that says something about a topic decides.
    init(_ stages: [[AccessRule]]) { self.stages = stages.filter { !$0.isEmpty } }

    func equal(_ other: any TopicRights) -> Bool { (other as? RuledRights)?.stages == stages }

    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool { decide(topic, \.allowsWriting) }
    func mayReceive(_ topic: UnsafeRawBufferPointer) -> Bool { decide(topic, \.allowsReading) }

    private func decide(_ topic: UnsafeRawBufferPointer, _ allows: (AccessRule.Kind) -> Bool) -> Bool {
        for stage in stages {
            for rule in stage where rule.kind == .deny || allows(rule.kind) {
                if rule.matches(topic) { return rule.kind != .deny }
            }
        }
        return false
    }

    func maySubscribe(to filter: UnsafeRawBufferPointer) -> Bool {
        for stage in stages {
            for rule in stage {
                let decides = rule.filter.withUnsafeBytes { own in
                    rule.kind == .deny
                        ? TopicFilter.covers(own, filter)
                        : rule.kind.allowsReading && TopicFilter.overlap(own, filter)
                }
                if decides { return rule.kind != .deny }
            }
        }
        return false
    }
}
