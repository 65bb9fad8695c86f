import MQTT

/// One thing that the schedule has happen. It names all that it needs, so that any other may be left out or shortened.
public enum Operation: Sendable {
    /// So many messages, one after the other, to one of the client's topics.
    case publish(client: Int, topic: Int, qos: QoS, count: Int, bytes: Int)
    /// One message to each of so many topics that combinations of the crowd get.
    case spread(client: Int, first: Int, count: Int, qos: QoS)
    /// A retained message, or (`clears`) its removal.
    case retain(client: Int, topic: Int, qos: QoS, clears: Bool)
    case leave(client: Int, SimulatedDeparture, awayMilliseconds: Int)
    /// The client stops reading and answering for a while.
    case stall(client: Int, milliseconds: Int)
    /// The same subscriptions anew, under another Subscription Identifier.
    case resubscribe(client: Int, identifier: UInt32)
    case cut(link: Int, silently: Bool, milliseconds: Int)
    case slow(link: Int, bytesPerSecond: Int, milliseconds: Int)
    case delay(link: Int, by: Int, milliseconds: Int)
    /// The process ends after so many more things that others can see: a packet sent, a write, a sync.
    case kill(node: Bool, effects: Int, downMilliseconds: Int)
    case losePower(node: Bool, effects: Int, downMilliseconds: Int)
    case stop(node: Bool, downMilliseconds: Int)
    case failSyncs(node: Bool, count: Int)
    case failWrites(node: Bool, count: Int)
    case failReads(node: Bool, count: Int)
    case fill(node: Bool, roomBytes: Int, milliseconds: Int)
    /// The file system is read-only for a while, as after an error that the kernel saw.
    case freeze(node: Bool, milliseconds: Int)
    case lie(node: Bool, milliseconds: Int)
    case slowDisk(node: Bool, by: Int, milliseconds: Int)
    /// The wall clock is wrong by so much, and knows that it may be.
    case loseDate(node: Bool, seconds: Int, milliseconds: Int)
}

/// How a client leaves.
public enum SimulatedDeparture: String, Sendable, CaseIterable {
    /// Its connection is reset.
    case reset
    /// Its machine is gone without a word.
    case vanish
    /// DISCONNECT.
    case disconnect
    /// It doesn't: it connects once more while the old connection is there.
    case takeOver
}

/// An operation, and how long nothing happens before it.
public struct Step: Sendable {
    public var waitMilliseconds: Int
    public var operation: Operation
}
