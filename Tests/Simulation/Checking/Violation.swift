/// A promise that was broken.
public struct Violation: Error, Sendable, CustomStringConvertible {
    /// DESIGN's promises, each as it is checked.
    public enum Promise: String, Sendable, CaseIterable {
        case lost = "nothing acknowledged is lost"
        case order = "one publisher's messages on one topic, at one QoS, keep their order"
        case exactlyOnce = "exactly once"
        case duplicates = "duplicates come only across a broken connection"
        case refused = "what was refused reaches nobody"
        case integrity = "what arrives is what was published"
        case epochs = "no epoch and no number is given twice"
        case acknowledgements = "acknowledgements leave in the order of their PUBLISHes"
        case session = "a session that was promised is there"
        case retained = "the retained message is the last one acknowledged, or newer"
        case coverage = "what will never come is reported as a gap"
        case bounds = "every bound is kept"
        case upstream = "with ack = \"upstream\" an acknowledgement means that the far end has it"
        case window = "a route sends in its window alone"
        case wear = "a healthy link means no write"
        case corruption = "a power loss doesn't damage the database"
        case rest = "once all is well, everything arrives and comes to rest"
        case will = "a Will is published for who was lost, and for nobody else"
        case simulation = "the simulation itself works"
    }

    public var promise: Promise
    public var detail: String

    public var description: String { "\(promise.rawValue): \(detail)" }
}
