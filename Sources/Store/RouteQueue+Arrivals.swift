extension RouteQueue {
    /// Bytes of all messages that the route has received in this run, as PUBLISH packets.
    public var receivedBytes: Int { stream.appendedBytes }
}
