import Client
import EventLoop
import MQTT
import Store

/// Sends one route's messages over the uplink's connection: `BatchSender`, `EachSender` or `ExactlyOnceSender`. The uplink calls; the sender
/// answers whether it has something to send, sends one PUBLISH at a time, and hears what became of it.
protocol RouteSender: AnyObject {
    var queue: RouteQueue { get }
    var priority: EvictionClass { get }
    /// Why it is holding back, in a person's words; nil: it is not.
    var holding: Hold? { get }
    /// The window to the far end is open.
    var hasRoom: Bool { get }
    /// When the oldest PUBLISH that is unacknowledged was sent.
    var oldestSent: Instant? { get }

    /// What was being read from disk is there, or something new came.
    func queueIsReadable()
    func didConnect(sessionPresent: Bool)
    /// `isAnswer`: the upstream closed the connection, which may be its answer to what was sent.
    func didDisconnect(isAnswer: Bool)
    /// Whether `send` may send something now.
    func isDue(_ now: Instant) -> Bool
    /// Sends one PUBLISH and returns its bytes; nil: there was nothing to send after all.
    func send(_ now: Instant) -> Int?
    /// PUBREC came. False: it isn't this route's.
    func mayRelease(_ identifier: UInt16, _ now: Instant) -> Bool
    /// The upstream has answered a PUBLISH. Returns when that was sent, nil where it isn't this route's.
    func didAcknowledge(_ identifier: UInt16, _ reason: ReasonCode, _ now: Instant) -> Instant?
    /// When `isDue` may turn true without anything else happening; nil: never.
    func nextDeadline(_ now: Instant) -> Instant?
    /// Sends what waits without its delay, and ends a hold.
    func flush()

    /// Bytes on the wire for a byte of packets.
    var wireRatio: Double { get }
    /// It holds what it has taken out of the queue and not sent yet.
    var isInTheMiddle: Bool { get }
    /// `pace`: bytes a second that the configuration gives the route, nil: no limit. One PUBLISH shall not take the link for
    /// longer than `linkTime`.
    func adapt(pace: Double?, linkTime: Duration)
}

/// Why a route sends nothing for a while.
struct Hold {
    /// For a connection to an upstream that doesn't take the QoS; nil where it does.
    init?(server: Connack?, qos: QoS = .atLeastOnce) {
        guard let server, server.maximumQoS < qos else { return nil }
        reason = server.maximumQoS == .atMostOnce ? .noAcknowledgements : .noExactlyOnce
        until = .distantFuture
    }

    init(reason: Reason, until: Instant) {
        self.reason = reason
        self.until = until
    }

    enum Reason: Equatable {
        /// 0x10: nobody subscribes to batches.
        case noReceiver
        /// 0x97 and others that time may heal.
        case refused(ReasonCode)
        /// The upstream takes QoS 0 alone, which acknowledges nothing.
        case noAcknowledgements
        /// It takes no QoS 2.
        case noExactlyOnce
        /// It closes the connection at each message that waits.
        case closes
        /// Ten messages in a row were refused one by one.
        case refusesEverything
    }

    var reason: Reason
    var until: Instant

    var text: String {
        switch reason {
        case .noReceiver: "no receiver"
        case .refused(let code): "the upstream answers: \(code.name)"
        case .noAcknowledgements: "the upstream allows only QoS 0, which acknowledges nothing"
        case .noExactlyOnce: "the upstream allows no QoS 2"
        case .closes: "the upstream closes the connection at what it is sent"
        case .refusesEverything: "the receiver refuses everything"
        }
    }
}

/// What the senders of one uplink share.
final class SendingContext {
    let client: MQTTClient
    let options: UplinkOptions
    let compressor = LZ4Compressor()
    /// Where a batch is encoded before it is sent.
    var output = RawBytes()
    let random: () -> Double
    var core: CoreLoad
    let labels: [BatchHeader.Label]
    /// Messages, not PUBLISHes.
    var sentMessages: UInt64 = 0
    var acknowledgedMessages: UInt64 = 0
    /// Messages of QoS 2 that went at QoS 1.
    var downgradedMessages: UInt64 = 0
    /// The address that is connected, or tried.
    var url = ""
    /// There may be something to send.
    var wake: () -> Void = {}
    var onNotice: ((String) -> Void)?
    private var notices: [String: Instant] = [:]
    private static let silence: Duration = .seconds(600)

    /// One line for the log, and no other of its kind until it hasn't happened for ten minutes.
    func notice(_ kind: String, _ text: @autoclosure () -> String) {
        let now = client.loop.now
        if notices.count > 1000 { notices = notices.filter { now - $0.value < Self.silence } }
        let last = notices.updateValue(now, forKey: kind)
        if let last, now - last < Self.silence { return }
        onNotice?(text())
    }

    /// - Parameter cpuTime: nanoseconds of CPU that this thread has used; nil: not to be known.
    init(
        client: MQTTClient, options: UplinkOptions, random: @escaping () -> Double, cpuTime: (() -> Int64)? = nil
    ) {
        self.client = client
        core = CoreLoad(used: cpuTime)
        self.options = options
        self.random = random
        labels = options.labels.map { BatchHeader.Label(name: $0.name, value: $0.value) }
    }
}

/// Messages that the upstream refused one by one. They are set aside for good only once the upstream has accepted another:
/// until then it may be that it refuses everything (a receiver that is too old, a wrong permission).
///
/// A closed connection says less than a Reason Code: an upstream that closed at everything, and was then mended, had nothing
/// against these messages. So they go once more when it accepts another, late rather than lost.
struct Refusals {
    struct Refused {
        var numbering: Numbering
        var number: UInt64
        var reason: ReasonCode
        /// By an answer; else by closing the connection.
        var isSaid: Bool
    }

    private(set) var pending: [Refused] = []
    /// Went once more since the upstream accepts: refused again, they are refused.
    private var tried: [Closings.Place] = []
    static let maximum = 10

    mutating func add(
        _ numbering: Numbering, _ number: UInt64, _ reason: ReasonCode = .unspecifiedError, isSaid: Bool = true
    ) {
        pending.append(Refused(numbering: numbering, number: number, reason: reason, isSaid: isSaid))
    }

    func contains(_ numbering: Numbering, _ number: UInt64) -> Bool {
        pending.contains { $0.number == number && $0.numbering == numbering }
    }

    var isEverything: Bool { pending.count >= Self.maximum }

    /// The upstream accepted something: what it refused before is refused.
    /// - Returns: whether some go once more, from the queue's beginning.
    mutating func settle(in queue: RouteQueue) -> Bool {
        var again: [Closings.Place] = []
        for refused in pending {
            let wasTried = tried.contains { $0.number == refused.number && $0.numbering == refused.numbering }
            if refused.isSaid || wasTried {
                queue.refuse(refused.numbering, number: refused.number, reason: refused.reason)
            } else {
                again.append((refused.numbering, refused.number))
            }
        }
        pending.removeAll()
        if !again.isEmpty { tried = again }
        return !again.isEmpty
    }

    mutating func forget() { pending.removeAll() }
}
