import Client
import EventLoop
import MQTT
import Uplink

/// Publishes the messages of batches, in their order, as fast as the broker acknowledges them.
///
/// A message counts as there once it is acknowledged. What ends the work before its end is told with the number to go on
/// from, so that at most what was on its way is published twice.
final class Importer: MQTTClientDelegate {
    struct Options {
        /// Messages at the beginning that are passed over.
        var skip = 0
        /// Retain as the publisher sent it; false: never.
        var keepsRetain = true
        /// Damage ends the work well: what comes before it was asked for.
        var endsAtDamage = false
    }

    struct Tally {
        var batches = 0
        var messages = 0
        var acknowledged = 0
        var refused = 0
        var expired = 0
        var skipped = 0
    }

    /// Unsent bytes above which it waits for the network.
    private static let outputLimit = 1 << 20

    private let run: MQTTRun
    private let files: BatchFiles
    private let options: Options
    private let onProgress: (Int) -> Void
    private(set) var tally = Tally()
    /// Not yet published of the batch at hand.
    private var packets: ArraySlice<PublishView> = []
    /// By Packet Identifier, the message's place among all.
    private var inFlight: [UInt16: Int] = [:]
    /// The first that a full broker refused.
    private var refusedForNow: Int?
    private var refusals: Set<ReasonCode> = []
    private var ending: Failure?
    private var isAtEnd = false
    private var isLeaving = false
    private var wakeIsScheduled = false
    private var maximumQoS = QoS.exactlyOnce

    /// - Parameter onProgress: told how many messages are done with.
    init(_ run: MQTTRun, _ files: BatchFiles, _ options: Options, onProgress: @escaping (Int) -> Void) {
        self.run = run
        self.files = files
        self.options = options
        self.onProgress = onProgress
    }

    /// All messages before it are done with: acknowledged, refused for good, or expired.
    var next: Int { min(inFlight.values.min() ?? tally.messages, refusedForNow ?? .max) }

    /// What to do where the work ended before its end.
    private var hint: String {
        next == 0 ? "" : ". \(Quantities.counted(next, "message")) done: go on with --skip \(next)"
    }

    // MARK: - The connection

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        guard connack.maximumQoS > .atMostOnce else {
            return leave(.refused("the broker takes QoS 0 only, and so acknowledges nothing"))
        }
        maximumQoS = connack.maximumQoS
        guard connack.retainAvailable || !options.keepsRetain else {
            return leave(.refused("the broker keeps no retained messages: --no-retain"))
        }
        pump()
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {}

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        guard let place = inFlight.removeValue(forKey: identifier) else { return }
        if reason == .quotaExceeded {
            refusedForNow = min(refusedForNow ?? place, place)
            if ending == nil { end(.refused("the broker is full (\(reason))")) }
        } else if reason.isError {
            refused(reason, place)
        } else {
            tally.acknowledged += 1
        }
        onProgress(next)
        pump()
    }

    func clientDidDrain(_ client: MQTTClient) { pump() }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        if var failure = run.failure(for: error) {
            failure.message += hint
            run.fail(failure)
        } else if !isLeaving {
            run.fail(.refused("interrupted" + hint))
        } else if tally.refused > 0 {
            run.fail(.refused("the broker refused \(Quantities.counted(tally.refused, "message"))"))
        } else {
            run.stop()
        }
    }

    private func leave(_ failure: Failure) {
        isLeaving = true
        run.failAndDisconnect(failure)
    }

    /// Nothing more is published; what is on its way is waited for.
    private func end(_ failure: Failure? = nil) {
        isAtEnd = true
        packets = []
        ending = ending ?? failure
    }

    private func refused(_ reason: ReasonCode, _ place: Int) {
        tally.refused += 1
        guard refusals.insert(reason).inserted else { return }
        run.warn("the broker refuses message \(place + 1): \(reason); further ones are only counted")
    }

    // MARK: - Sending

    private func pump() {
        guard run.client.isConnected, !isLeaving else { return }
        while canSend, !isAtEnd {
            do {
                guard try sendNext() else { break }
            } catch let damage as BatchFiles.Damage {
                if options.endsAtDamage { run.warn("\(damage.text); what comes before it is published") }
                end(options.endsAtDamage ? nil : .refused(damage.text))
            } catch {
                end(error as? Failure ?? .refused("\(error)"))
            }
        }
        guard isAtEnd, inFlight.isEmpty else { return }
        if var failure = ending {
            failure.message += hint
            return leave(failure)
        }
        isLeaving = true
        run.client.disconnect()
    }

    private var canSend: Bool {
        guard !wakeIsScheduled, run.client.room > 0 else { return false }
        if run.client.unsentBytes < Self.outputLimit { return true }
        // What was written this tick leaves at its end; only what then still waits is told of.
        if !run.client.isBlocked { wake(after: .zero) }
        return false
    }

    /// False: nothing to send for now.
    private func sendNext() throws -> Bool {
        guard let message = packets.popFirst() else { return try openNext() }
        let place = tally.messages
        tally.messages += 1
        guard place >= options.skip else {
            tally.skipped += 1
            return true
        }
        guard let properties = Self.properties(of: message, now: Self.now) else {
            tally.expired += 1
            onProgress(next)
            return true
        }
        let qos = min(max(message.qos, .atLeastOnce), maximumQoS)
        let identifier = properties.withUnsafeBytes {
            run.client.publish(
                topic: message.topic, payload: message.payload, qos: qos, retain: message.retain && options.keepsRetain,
                properties: $0)
        }
        if let identifier { inFlight[identifier] = place } else { refused(.packetTooLarge, place) }
        return true
    }

    private func openNext() throws -> Bool {
        switch try files.next() {
        case .batch(let batch):
            tally.batches += 1
            packets = batch.packets[...]
            return true
        case .pending:
            wake(after: .milliseconds(10))
            return false
        case .end:
            end()
            return false
        }
    }

    private func wake(after delay: Duration) {
        wakeIsScheduled = true
        run.loop.schedule(after: delay) { [weak self] in
            self?.wakeIsScheduled = false
            self?.pump()
        }
    }

    // MARK: - Time

    /// Milliseconds since 1970.
    private static var now: Int64 {
        let now = LocalTime.now
        return Int64(now.seconds) * 1000 + Int64(now.nanoseconds / 1_000_000)
    }

    /// The message's properties, with what is left of its Message Expiry Interval since the node received it (`t`); nil:
    /// nothing is left. Where the node's clock was never set, nobody knows how old it is, and the interval stays.
    static func properties(of message: PublishView, now: Int64) -> [UInt8]? {
        var properties = Array(message.properties)
        guard let interval = message.messageExpiryInterval, let received = WallTime(of: message), received.isSet else {
            return properties
        }
        let age = max(0, now - received.milliseconds) / 1000
        guard age < Int64(interval) else { return nil }
        let left = interval - UInt32(age)
        for property in PropertyReader(message.properties) where property.identifier == .messageExpiryInterval {
            guard let start = message.properties.baseAddress, let place = property.encoded.baseAddress else { break }
            for byte in 0..<4 {
                properties[place - start + 1 + byte] = UInt8(truncatingIfNeeded: left >> UInt32(24 - 8 * byte))
            }
        }
        return properties
    }
}
