import MQTT

/// A message that a simulated client publishes, and what is known of it.
final class MessageRecord {
    enum State {
        /// Not sent yet.
        case waiting
        /// Sent at least once.
        case sent
        /// PUBACK or PUBREC came.
        case acknowledged
        /// Refused by the broker: 0x80 and above.
        case refused
        /// The publisher gave it up: it may or may not arrive.
        case abandoned
    }

    let number: Int
    let publisher: String
    let role: Role
    let topic: String
    let qos: QoS
    /// Its place among the publisher's messages of this topic and QoS.
    let place: Int
    let retain: Bool
    let payload: String
    var state = State.waiting
    /// How often it may have been taken as a message of its own.
    var copies = 0
    /// Nanoseconds: first sent, acknowledged.
    var sentAt: Int64?
    var acknowledgedAt: Int64?
    /// Starts of the broker that it was sent to, and the one that acknowledged it.
    private(set) var starts: ClosedRange<Int>?
    /// How many connections it was sent on.
    var connections = 0

    init(
        number: Int, publisher: String, role: Role, topic: String, qos: QoS, place: Int, retain: Bool, bytes: Int,
        isClearing: Bool = false
    ) {
        self.number = number
        self.publisher = publisher
        self.role = role
        self.topic = topic
        self.qos = qos
        self.place = place
        self.retain = retain
        payload = isClearing ? "" : Self.payload(number, bytes: bytes)
    }

    var isAcknowledged: Bool { state == .acknowledged }

    /// Within one publisher, topic and QoS order is kept.
    private(set) lazy var orderKey = "\(publisher) \(topic) \(qos.rawValue)"

    /// It had to do with this start of its broker; nil: unknown.
    func meet(start: Int?) {
        guard let start else { return }
        starts = min(starts?.lowerBound ?? start, start)...max(starts?.upperBound ?? start, start)
    }

    var description: String { "message \(number) (\(topic), QoS \(qos.rawValue))" }

    /// The number, and filler of its own that no compression makes small: bytes of another message are seen.
    private static func payload(_ number: Int, bytes: Int) -> String {
        var text = Array("\(number).".utf8)
        var random = SimulationRandom(seed: UInt64(number))
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        while text.count < bytes {
            var word = random.next()
            for _ in 0..<8 where text.count < bytes {
                text.append(letters[Int(word & 63)])
                word >>= 8
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func number(in payload: String) -> Int? {
        payload.firstIndex(of: ".").flatMap { Int(payload[..<$0]) }
    }
}
