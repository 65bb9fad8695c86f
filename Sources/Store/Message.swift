import EventLoop
import Glibc
import MQTT

/// A message that somebody has yet to get: the MQTT 5 PUBLISH packet as it is stored, and who waits for it to be safe.
///
/// The loop's own, never shared with another thread. Messages that go straight to connected subscribers never become one.
public final class Message {
    /// Orders all messages of a lane, also over restarts.
    public let laneSequence: UInt64
    /// Store time of receipt, milliseconds.
    public let receivedAt: Int64
    /// Store time; `.max`: never.
    public let expiresAt: Int64
    public let qos: QoS
    public let retain: Bool

    private let bytes: UnsafeMutableRawBufferPointer
    private let topicRange: Range<Int>
    private let propertiesRange: Range<Int>
    private let payloadOffset: Int
    /// The properties begin with a Message Expiry Interval.
    private let hasExpiry: Bool
    private var meter: MemoryMeter

    /// Parts of the message (one a stream, one for the retained store, ...) that are neither on disk nor passed.
    var unsafeParts = 0
    var waiter: (any SafetyWaiter)?
    var ticket: UInt64 = 0
    /// Older messages of the topic that gave way to this one: they are as safe as it is.
    private var vouched: [Message] = []
    /// Not to be shown to any destination before its commit.
    public internal(set) var isHeld = false
    /// It is the retained message of its topic as well.
    var isRetainedToo = false
    /// The place of its Packet Identifier, where that was submitted with it: to be taken back with it.
    var inbound: (session: SessionID, identifier: UInt16)?
    /// Whom it is for, in a mixed stream.
    public var set: MessageSet?
    /// Its publisher was told that it isn't kept, after it had been taken.
    public internal(set) var isWithdrawn = false

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
        let bytes = meter.blocks.allocate(head + remaining)
        bytes[0] = 0x30 | qos.rawValue << 1 | (retain ? 1 : 0)
        var offset = Self.writeVarint(remaining, to: bytes, at: 1)
        bytes[offset] = UInt8(truncatingIfNeeded: topic.count >> 8)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: topic.count)
        offset += 2
        topicRange = offset..<offset + topic.count
        Self.copy(topic, to: bytes, at: &offset)
        if identifierCount > 0 {
            bytes[offset] = 0
            bytes[offset + 1] = 1
            offset += 2
        }
        offset = Self.writeVarint(properties.count, to: bytes, at: offset)
        propertiesRange = offset..<offset + properties.count
        Self.copy(properties, to: bytes, at: &offset)
        payloadOffset = offset
        Self.copy(payload, to: bytes, at: &offset)
        self.bytes = bytes
        self.qos = qos
        self.retain = retain
        self.laneSequence = laneSequence
        self.receivedAt = receivedAt
        self.expiresAt = expiresAt
        self.hasExpiry = hasExpiry
        self.meter = meter
        meter.bytes += bytes.count + Self.overhead
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
        meter.bytes -= bytes.count + Self.overhead
        meter.blocks.deallocate(bytes)
    }

    /// Somebody else keeps the message from now on, and answers for its memory.
    public func charge(to other: MemoryMeter) {
        meter.bytes -= bytes.count + Self.overhead
        other.bytes += bytes.count + Self.overhead
        meter = other
    }

    /// The whole packet. Like the parts below, valid while the message is retained.
    public var packet: UnsafeRawBufferPointer { UnsafeRawBufferPointer(bytes) }
    public var topic: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: packet[topicRange]) }
    public var properties: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: packet[propertiesRange]) }
    /// The properties without the Message Expiry Interval, which is told anew at each sending.
    public var lastingProperties: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            rebasing: packet[(propertiesRange.lowerBound + (hasExpiry ? 5 : 0))..<propertiesRange.upperBound])
    }
    public var payload: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: packet[payloadOffset...]) }
    public var byteCount: Int { bytes.count }

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
        guard !vouched.isEmpty else { return }
        let others = vouched
        vouched = []
        for other in others { other.partIsSafe() }
    }

    /// Somebody waits for it, or for one that it vouches for, to be safe.
    var isAwaited: Bool { waiter != nil || !vouched.isEmpty }

    /// One part of `older` is safe once this whole message is. What `older` vouches for comes over, so that a long row of them
    /// is never walked one inside the other.
    func vouch(for older: Message) {
        swap(&vouched, &older.vouched)
        vouched.append(contentsOf: older.vouched)
        older.vouched = []
        vouched.append(older)
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

    private static func writeVarint(_ value: Int, to bytes: UnsafeMutableRawBufferPointer, at start: Int) -> Int {
        var rest = value
        var offset = start
        while rest >= 128 {
            bytes[offset] = UInt8(truncatingIfNeeded: rest) | 0x80
            rest >>= 7
            offset += 1
        }
        bytes[offset] = UInt8(rest)
        return offset + 1
    }

    private static func copy(
        _ part: UnsafeRawBufferPointer, to bytes: UnsafeMutableRawBufferPointer, at offset: inout Int
    ) {
        if let source = part.baseAddress, let target = bytes.baseAddress {
            memcpy(target + offset, source, part.count)
        }
        offset += part.count
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
