import Broker
import Configuration
import MQTT

/// The rights of a module: filters that it may publish to, and filters of what it may receive.
final class ModuleRights: TopicRights {
    private let publish: [[UInt8]]
    private let subscribe: [[UInt8]]

    init(publish: [String], subscribe: [String]) {
        self.publish = publish.map { Array($0.utf8) }
        self.subscribe = subscribe.map { Array($0.utf8) }
    }

    convenience init(_ module: ModuleSettings) {
        let own = OwnTopics.filters(of: module)
        self.init(
            publish: module.publish.isEmpty ? own : module.publish,
            subscribe: module.subscribe.isEmpty ? own : module.subscribe)
    }

    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool { Self.matches(publish, topic) }
    func mayReceive(_ topic: UnsafeRawBufferPointer) -> Bool { Self.matches(subscribe, topic) }

    func maySubscribe(to filter: UnsafeRawBufferPointer) -> Bool {
        subscribe.contains { own in own.withUnsafeBytes { TopicFilter.overlap($0, filter) } }
    }

    func equal(_ other: any TopicRights) -> Bool {
        guard let other = other as? ModuleRights else { return false }
        return publish == other.publish && subscribe == other.subscribe
    }

    private static func matches(_ filters: [[UInt8]], _ topic: UnsafeRawBufferPointer) -> Bool {
        filters.contains { filter in filter.withUnsafeBytes { TopicFilter.matches(filter: $0, topic: topic) } }
    }
}
