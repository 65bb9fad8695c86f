import Bridge

/// The topics of one device, or of a connection, by the module's template. What is the bridge's own has `_` at its beginning,
/// where no configured name has it.
struct ModbusTopics {
    private let template: TopicTemplate
    private var names: [String: String]

    /// - Parameter device: nil: of the connection as a whole.
    init(_ template: TopicTemplate, node: String, module: String, connection: String, device: String? = nil) {
        self.template = template
        names = ["node": node, "name": module, "connection": connection, "device": device ?? "_connection"]
    }

    func point(_ name: String) -> String {
        var names = names
        names["point"] = name
        return template.topic(names)
    }

    /// A filter that the topics of all points match.
    var everyPoint: String {
        let mark = "\u{1}"
        return point(mark).split(separator: "/", omittingEmptySubsequences: false)
            .map { $0.contains(mark) ? "+" : String($0) }.joined(separator: "/")
    }

    /// Retained: online, offline, unhealthy.
    var state: String { point("_state") }
    /// Retained: what the device says that it is.
    var identity: String { point("_identity") }
    var statistics: String { point("_statistics") }
}
