import EventLoop
import Glibc
import MQTT

/// A message that somebody has yet to get: the MQTT 5 PUBLISH packet as it is stored, and who waits for it to be safe.
///
/// The loop's own, never shared with another thread. Messages that go straight to connected subscribers never become one. There may
/// be hundreds of thousands, made and gone again in no time, so that the object is as small as it can be: 120 bytes, the most for
/// which `malloc` has its short way.
public final class Message {
    /// Orders all messages of a lane, also over restarts.
    public let laneSequence: UInt64
    /// Store time of receipt, milliseconds.
    public let receivedAt: Int64
    /// Store time; `.max`: never.
    public let expiresAt: Int64
    /// Where the packet begins.
    let start: UnsafeMutableRawPointer
    private var meter: MemoryMeter
    var waiter: (any SafetyWaiter)?
    var ticket: UInt64 = 0
    /// Whom it is for, in a mixed stream.
    public var set: MessageSet?
    /// What few messages have.
    private var rarity: Rarity?

    /// Of the packet, in bytes; the fixed header says that it is less than 256 MiB.
    private let count: UInt32
    private let propertiesStart: UInt32
    private let payloadStart: UInt32
    /// Parts of the message (one a stream, one for the retained store, ...) that are neither on disk nor passed.
    private(set) var unsafeParts: UInt32 = 0
    private let topicStart: UInt8
    public let qos: QoS
    public let retain: Bool
    /// The properties begin with a Message Expiry Interval.
    private let hasExpiry: Bool
    /// Not to be shown to any destination before its commit.
    public internal(set) var isHeld = false
    /// It is the retained message of its topic as well.
    var isRetainedToo = false
    /// Its publisher was told that it isn't kept, after it had been taken.
    public internal(set) var isWithdrawn = false

    private final class Rarity {
        /// Older messages of the topic that gave way to this one: they are as safe as it is.
        var vouched: [Message] = []
        /// The place of its Packet Identifier, where that was submitted with it: to be taken back with it.
        var inbound: (session: SessionID, identifier: UInt16)?
    }

    /// Takes over a PUBLISH: the packet is written anew in the form in which it is stored, without Topic Alias and
    /// Subscription Identifiers, and with its Message Expiry Interval as the first property.
    ///
    /// - Parameters:
    ///   - topic: stands for the packet's where that has a Topic Alias.
    ///   - retain: stands for the packet's, if given.
    public convenience init(
        _ publish: PublishView, topic: UnsafeRawBufferPointer? = nil, retain: Bool? = nil, laneSequence: UInt64,
        receivedAt: Int64, meter: MemoryMeter
    ) {
        let count = publish.properties.count
        let expiresAt = publish.messageExpiryInterval.map { receivedAt + Int64($0) * 1000 } ?? .max
        self.init(
            topic: topic ?? publish.topic, payload: publish.payload, qos: publish.qos, retain: retain ?? publish.retain,
            propertiesCapacity: count == 0 && publish.messageExpiryInterval == nil ? 0 : count + 5,
            hasExpiry: publish.messageExpiryInterval != nil, laneSequence: laneSequence, receivedAt: receivedAt,
            expiresAt: expiresAt, meter: meter
        ) { target in
            var length = 0
            if let interval = publish.messageExpiryInterval {
                target.storeBytes(of: PropertyIdentifier.messageExpiryInterval.rawValue, as: UInt8.self)
                target.storeBytes(of: interval.bigEndian, toByteOffset: 1, as: UInt32.self)
                length = 5
            }
            return length + publish.copyProperties(into: target + length)
        }
    }

    private convenience init(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, qos: QoS, retain: Bool, propertiesCapacity: Int,
        hasExpiry: Bool, laneSequence: UInt64, receivedAt: Int64, expiresAt: Int64, meter: MemoryMeter,
        writeProperties: (UnsafeMutableRawPointer) -> Int
    ) {
        guard propertiesCapacity > 0 else {
            self.init(
                topic: topic, properties: UnsafeRawBufferPointer(start: nil, count: 0), payload: payload, qos: qos,
                retain: retain, hasExpiry: false, laneSequence: laneSequence, receivedAt: receivedAt,
                expiresAt: expiresAt, meter: meter)
            return
        }
        let properties = UnsafeMutableRawPointer.allocate(byteCount: propertiesCapacity, alignment: 1)
        defer { properties.deallocate() }
        let count = writeProperties(properties)
        self.init(
            topic: topic, properties: UnsafeRawBufferPointer(start: properties, count: count), payload: payload,
            qos: qos, retain: retain, hasExpiry: hasExpiry, laneSequence: laneSequence, receivedAt: receivedAt,
            expiresAt: expiresAt, meter: meter)
    }

    private init(
        topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, qos: QoS,
        retain: Bool, hasExpiry: Bool, laneSequence: UInt64, receivedAt: Int64, expiresAt: Int64, meter: MemoryMeter
    ) {
        let identifierCount = qos == .atMostOnce ? 0 : 2
        let propertiesHead = Self.varintCount(properties.count)
        let remaining = 2 + topic.count + identifierCount + propertiesHead + properties.count + payload.count
        let head = 1 + Self.varintCount(remaining)
        let start = meter.blocks.allocate(head + remaining)
        var place = start
        place.storeBytes(of: 0x30 | qos.rawValue << 1 | (retain ? 1 : 0), as: UInt8.self)
        place += 1
        Self.writeVarint(remaining, to: &place)
        place.storeBytes(of: UInt16(truncatingIfNeeded: topic.count).bigEndian, as: UInt16.self)
        place += 2
        topicStart = UInt8(truncatingIfNeeded: place - start)
        Self.copy(topic, to: &place)
        if identifierCount > 0 {
            place.storeBytes(of: UInt16(1).bigEndian, as: UInt16.self)
            place += 2
        }
        Self.writeVarint(properties.count, to: &place)
        propertiesStart = UInt32(truncatingIfNeeded: place - start)
        Self.copy(properties, to: &place)
        payloadStart = UInt32(truncatingIfNeeded: place - start)
        Self.copy(payload, to: &place)
        self.start = start
        count = UInt32(truncatingIfNeeded: place - start)
        self.qos = qos
        self.retain = retain
        self.laneSequence = laneSequence
        self.receivedAt = receivedAt
        self.expiresAt = expiresAt
        self.hasExpiry = hasExpiry
        self.meter = meter
        meter.bytes += head + remaining + Self.overhead
    }

    /// Reads one packet of a segment or of the retained store. nil: the bytes at the front are no PUBLISH packet.
    convenience init?(
        stored packets: UnsafeRawBufferPointer, laneSequence: UInt64, receivedAt: Int64, meter: MemoryMeter,
        length: inout Int
    ) {
        guard let raw = try? readFrame(packets, maximum: packets.count), raw.type == .publish,
            let view = try? PublishView(raw, version: .v5)
        else { return nil }
        length = raw.length
        self.init(view, laneSequence: laneSequence, receivedAt: receivedAt, meter: meter)
    }

    deinit {
        meter.bytes -= byteCount + Self.overhead
        meter.blocks.deallocate(start, byteCount)
    }

    /// Somebody else keeps the message from now on, and answers for its memory.
    public func charge(to other: MemoryMeter) {
        meter.bytes -= byteCount + Self.overhead
        other.bytes += byteCount + Self.overhead
        meter = other
    }

    /// The whole packet. Like the parts below, valid while the message is retained.
    public var packet: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: byteCount) }
    public var topic: UnsafeRawBufferPointer {
        let length = UInt16(bigEndian: (start + Int(topicStart) - 2).loadUnaligned(as: UInt16.self))
        return UnsafeRawBufferPointer(start: start + Int(topicStart), count: Int(length))
    }
    public var properties: UnsafeRawBufferPointer { part(Int(propertiesStart), Int(payloadStart)) }
    /// The properties without the Message Expiry Interval, which is told anew at each sending.
    public var lastingProperties: UnsafeRawBufferPointer {
        part(Int(propertiesStart) + (hasExpiry ? 5 : 0), Int(payloadStart))
    }
    public var payload: UnsafeRawBufferPointer { part(Int(payloadStart), byteCount) }
    public var byteCount: Int { Int(count) }

    private func part(_ from: Int, _ to: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: start + from, count: to - from)
    }

    public func isExpired(at now: Int64) -> Bool { expiresAt <= now }

    /// Seconds of the Message Expiry Interval that are left; nil: the message doesn't expire.
    public func remainingExpiry(at now: Int64) -> UInt32? {
        guard expiresAt != .max else { return nil }
        return UInt32(clamping: max(0, (expiresAt - now + 999) / 1000))
    }

    /// The message as a PUBLISH to be routed or looked at; valid while the message is retained.
    public func view(at now: Int64) -> PublishView {
        PublishView(
            topic: topic, payload: payload, qos: qos, retain: retain, properties: lastingProperties,
            messageExpiryInterval: remainingExpiry(at: now))
    }

    /// Every part is on disk, or passed by its destinations.
    public var isSafe: Bool { unsafeParts == 0 }

    /// One more part is on disk or passed.
    func partIsSafe() {
        precondition(unsafeParts > 0, "a part of a message became safe twice")
        unsafeParts -= 1
        guard unsafeParts == 0 else { return }
        answer(.success)
        guard let rarity, !rarity.vouched.isEmpty else { return }
        let others = rarity.vouched
        rarity.vouched = []
        for other in others { other.partIsSafe() }
    }

    /// Somebody, or something, has it to keep: another part that isn't safe yet.
    func addPart() { unsafeParts += 1 }

    /// Somebody waits for it, or for one that it vouches for, to be safe.
    var isAwaited: Bool { waiter != nil || rarity?.vouched.isEmpty == false }

    /// One part of `older` is safe once this whole message is. What `older` vouches for comes over, so that a long row of them
    /// is never walked one inside the other.
    func vouch(for older: Message) {
        let own = ownRarity()
        if let others = older.rarity {
            swap(&own.vouched, &others.vouched)
            own.vouched.append(contentsOf: others.vouched)
            others.vouched = []
        }
        own.vouched.append(older)
    }

    /// The place of its Packet Identifier, where that was submitted with it: to be taken back with it.
    var inbound: (session: SessionID, identifier: UInt16)? {
        get { rarity?.inbound }
        set { ownRarity().inbound = newValue }
    }

    private func ownRarity() -> Rarity {
        if let rarity { return rarity }
        let made = Rarity()
        rarity = made
        return made
    }

    /// Tells the waiter, once.
    func answer(_ reason: ReasonCode) {
        guard let waiter else { return }
        self.waiter = nil
        waiter.messageIsSettled(ticket: ticket, reason: reason)
    }

    /// What a message costs beside its bytes: the object, its places in streams.
    private static let overhead = 160

    private static func varintCount(_ value: Int) -> Int {
        value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4
    }

    private static func writeVarint(_ value: Int, to place: inout UnsafeMutableRawPointer) {
        var rest = value
        while rest >= 128 {
            place.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            rest >>= 7
            place += 1
        }
        place.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        place += 1
    }

    private static func copy(_ part: UnsafeRawBufferPointer, to place: inout UnsafeMutableRawPointer) {
        if let source = part.baseAddress { memcpy(place, source, part.count) }
        place += part.count
    }
}

/// Who waits for a message to be safe: a publisher's acknowledgement, mostly.
public protocol SafetyWaiter: AnyObject {
    /// The message is committed or delivered (`success`), or can't be kept (an error). Called once.
    func messageIsSettled(ticket: UInt64, reason: ReasonCode)

    /// A message that was taken, and that the disk then didn't take, may be answered with an error: the waiter has words for
    /// it, and somebody to say them to.
    var hearsRefusals: Bool { get }
}

extension SafetyWaiter {
    public var hearsRefusals: Bool { false }
}

/// Bytes of messages in memory, and the memory of those that are gone.
public final class MemoryMeter {
    public internal(set) var bytes = 0
    var blocks = MemoryBlocks()
    public init() {}
}
