import MQTT
import Store
import Uplink

/// The `[[uplink]]` tables that one start of the node finds in its configuration. Uplinks are counted: the first is `cloud`,
/// the others, `cloud1` and so on, put `via1/` before the topics, so that each way of a message is seen by itself.
final class RoutePlan {
    struct Entry {
        let way: Int
        let filter: String
        let options: RouteOptions
        let policy: RoutePolicy
        /// Milliseconds.
        let ttl: Int64?

        var identity: [String] { [name, filter] }

        /// Its name in batches' headers and in the store.
        var name: String { "\(RoutePlan.uplink(way))/\(options.name)" }
    }

    /// In the order of the file, by uplink.
    let uplinks: [[Entry]]
    private var found: [String: [Entry]] = [:]

    init(_ uplinks: [[Entry]]) { self.uplinks = uplinks }

    static func uplink(_ way: Int) -> String { way == 0 ? "cloud" : "cloud\(way)" }

    /// Which uplink's a route is.
    static func way(ofRoute name: String) -> Int { Int(name.prefix { $0 != "/" }.dropFirst(5)) ?? 0 }

    /// By which uplink a topic came at the cloud, and what it is without that.
    static func way(of topic: String) -> (way: Int, topic: String) {
        guard topic.hasPrefix("via"), let slash = topic.firstIndex(of: "/"),
            let way = Int(topic[..<slash].dropFirst(3))
        else { return (0, topic) }
        return (way, String(topic[topic.index(after: slash)...]))
    }

    /// Who takes a topic's messages: of each uplink the first route whose filter matches.
    func takers(of topic: String) -> [Entry] {
        if let known = found[topic] { return known }
        let takers = uplinks.compactMap { routes in routes.first { Model.matches($0.filter, topic) } }
        found[topic] = takers
        return takers
    }

    func entry(_ name: String) -> Entry? { uplinks.lazy.joined().first { $0.name == name } }

    var names: Set<String> { Set(uplinks.joined().map(\.name)) }
}
