extension Settings {
    /// The placeholders that hold for the whole node.
    public var placeholders: Placeholders {
        Placeholders(node: node.id, labels: node.labels)
    }

    /// The settings with every placeholder filled in that is known from the start. What is left: `{topic}` in the topics
    /// of routes, subscriptions and `[ingest]`, and in the latter `{node}` and labels, which are the batch's.
    ///
    /// Reading has checked that all placeholders are known, so a text that fails here is left as it is.
    public func expanded() -> Settings {
        var result = self
        result.admin.socket = fill(admin.socket, data: node.data)
        result.ingest.filter = fill(ingest.filter)
        for index in result.access.users.indices {
            result.access.users[index].publish = access.users[index].publish.map { fill($0) }
            result.access.users[index].subscribe = access.users[index].subscribe.map { fill($0) }
        }
        for index in result.modules.indices {
            let name = modules[index].name
            result.modules[index].publish = modules[index].publish.map { fill($0, name: name) }
            result.modules[index].subscribe = modules[index].subscribe.map { fill($0, name: name) }
        }
        result.uplinks = uplinks.map(expanded)
        return result
    }

    private func expanded(_ uplink: UplinkSettings) -> UplinkSettings {
        var result = uplink
        result.clientID = fill(uplink.clientID, name: uplink.name)
        result.batchPrefix = fill(uplink.batchPrefix, name: uplink.name)
        for index in result.routes.indices {
            result.routes[index].filter = fill(uplink.routes[index].filter, name: uplink.name)
            result.routes[index].topic = fill(uplink.routes[index].topic, name: uplink.name)
        }
        for index in result.subscriptions.indices {
            result.subscriptions[index].filter = fill(uplink.subscriptions[index].filter, name: uplink.name)
            result.subscriptions[index].topic = fill(uplink.subscriptions[index].topic, name: uplink.name)
        }
        return result
    }

    private func fill(_ text: String, name: String? = nil, data: String? = nil) -> String {
        var known = placeholders
        known.name = name
        known.data = data
        do throws(Placeholders.Unknown) {
            return try known.expand(text, keeping: ["topic"])
        } catch {
            return text
        }
    }
}
