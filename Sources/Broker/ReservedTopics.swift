/// Topics below `$` that no client writes, whatever its rights say: what the node itself answers there could not be told
/// from what a client pretends.
enum ReservedTopics {
    /// - Parameter topic: begins with `$`. All such topics are reserved but those of device twins (KubeEdge's
    ///   `$hw/events/...`), and of these the ones on which the node answers.
    static func contains(_ topic: UnsafeRawBufferPointer) -> Bool {
        let twins: StaticString = "$hw/events/"
        guard begins(topic, twins) else { return true }
        let rest = UnsafeRawBufferPointer(rebasing: topic[twins.utf8CodeUnitCount...])
        if begins(rest, "connected/") || begins(rest, "disconnected/") { return true }
        let isOfNode = begins(rest, "node/")
        // What devices send up (`upload/...`) may end as it likes.
        guard isOfNode || begins(rest, "device/") else { return false }
        // A node tells the cloud what has changed at the edge, by its own name.
        if isOfNode, ends(rest, "/twin/edge_updated") { return false }
        return answers.contains { ends(rest, $0) }
    }

    /// The ends of topics that only the node writes. `/updated` is a device's attributes, and a node's membership.
    private static let answers: [StaticString] = [
        "/twin/get/result", "/twin/update/result", "/twin/update/document", "/twin/update/delta", "/twin/edge_updated",
        "/state/update/result", "/updated", "/membership/get/result",
    ]

    private static func begins(_ topic: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        topic.starts(with: UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private static func ends(_ topic: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        topic.suffix(text.utf8CodeUnitCount)
            .elementsEqual(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
