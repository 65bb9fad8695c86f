import Broker
import Configuration
import Store
import Twin
import Uplink

/// Device twins, and the links that carry them.
extension Daemon {
    func startTwins(_ state: StoredState) {
        guard settings.twin.enabled else { return }
        let stored = state.states.lazy.filter { $0.kind == .twin }.map { (key: $0.key, value: $0.value) }
        let twins = DeviceTwins(
            broker: broker, node: settings.node.id, options: TwinOptions(settings.twin), stored: Array(stored))
        twins.onNotice = { [logger] in logger.log(.warning, "twin: \($0)") }
        self.twins = twins
        broker.twins = twins
    }

    /// What changes here goes up while a link that carries twins is there and has not much before it; else each property
    /// waits in its twin and goes once, as it is by then: a week without the cloud is no week's log.
    func announceTwins() {
        let carriers = Set(settings.uplinks.filter(\.twin).map(\.name))
        guard let twins, !carriers.isEmpty else { return }
        let queues = broker.routes.filter { carriers.contains($0.uplink) && $0.queue.name.hasSuffix("/twin") }
            .map(\.queue)
        twins.mayAnnounce = {
            queues.contains { $0.link.state != .down && $0.messages < TwinTopics.longestQueue }
        }
        twins.start()
    }
}

extension TwinOptions {
    init(_ settings: TwinSettings) {
        self.init()
        autoCreate = settings.autoCreate
        strictValues = settings.strictValues
        maximumDevices = settings.devices
    }
}

/// How twins' topics are written on the way between edge and cloud.
enum TwinTopics {
    /// Changes of twins that wait for the link in the log.
    static let longestQueue = 1000

    static let changes = ["$hw/events/device/+/twin/edge_updated", "$hw/events/device/+/+/twin/edge_updated"]
    /// What devices and apps send up by KubeEdge's names.
    static let uploads = ["$hw/events/upload/#", "SYS/dis/upload_records", "+/user/#"]

    static func prefix(of node: String) -> String { "$hw/events/node/\(node)/device/" }
    static let prefix = "$hw/events/device/"

    /// What a node's batch may hold below `$`: its own devices' changes, and what they sent up.
    static func mayCome(_ topic: UnsafeRawBufferPointer, from node: String) -> Bool {
        if topic.starts(with: "$hw/events/upload/".utf8) { return true }
        return topic.starts(with: prefix(of: node).utf8)
            && topic.suffix("/twin/edge_updated".utf8.count).elementsEqual("/twin/edge_updated".utf8)
    }
}

extension UplinkSettings {
    /// Its routes, with the one that carries twins before the others.
    var carriedRoutes: [RouteSettings] {
        guard twin else { return routes }
        var route = RouteSettings()
        route.name = "twin"
        route.filter = TwinTopics.changes[0]
        route.priority = .high
        return [route] + routes
    }

    func filters(of route: RouteSettings) -> [[UInt8]] {
        let isTwins = twin && route.name == "twin"
        return (isTwins ? TwinTopics.changes + TwinTopics.uploads : [route.filter]).map { Array($0.utf8) }
    }
}

extension UplinkOptions {
    /// Gives devices' topics the node's name on their way up, and takes it off on their way down.
    mutating func carryTwins() {
        let own = TwinTopics.prefix(of: node)
        for index in routes.indices where routes[index].name == "twin" {
            routes[index].swap = PrefixSwap(from: TwinTopics.prefix, to: own)
        }
        for levels in ["+", "+/+"] {
            var subscription = SubscribeOptions(filter: "\(own)\(levels)/twin/cloud_updated")
            subscription.swap = PrefixSwap(from: own, to: TwinTopics.prefix)
            subscriptions.append(subscription)
        }
    }
}
