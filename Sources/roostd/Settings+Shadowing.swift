import Configuration
import MQTT

extension Settings {
    /// Routes that get no message, since one before them takes all that they could have, as lines for a person.
    var shadowedRoutes: [String] {
        uplinks.flatMap { uplink in
            uplink.routes.indices.compactMap { index in
                let route = uplink.routes[index]
                let taker = uplink.routes[..<index].first { Self.covers($0.filter, route.filter) }
                return taker.map {
                    "uplink \(uplink.name): route \(route.placeName) gets nothing: \($0.placeName) stands before it and takes all"
                }
            }
        }
    }

    private static func covers(_ outer: String, _ inner: String) -> Bool {
        Array(outer.utf8).withUnsafeBytes { outer in
            Array(inner.utf8).withUnsafeBytes { TopicFilter.covers(outer, $0) }
        }
    }
}
