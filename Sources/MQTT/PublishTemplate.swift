/// One message on its way to many subscribers. What they receive differs by protocol version, by whether QoS is 0, and in
/// the first byte and the Packet Identifier; so all before the payload is encoded at most once for each of these four forms,
/// and each subscriber costs two copies and a patch. A loop keeps one template and resets it for each message: its memory is
/// reused. Topic, properties and payload are only pointed to, and must live until the next `reset`.
public struct PublishTemplate: ~Copyable {
    private struct Form {
        /// Bytes before the payload; 0: not encoded yet.
        var headCount = 0
        /// Where the Packet Identifier stands.
        var identifierOffset = 0
    }

    private var head: PublishHead
    private var payload: UnsafeRawBufferPointer
    private var forms = (Form(), Form(), Form(), Form())
    private var memory: UnsafeMutableRawPointer
    /// Bytes for each of the four forms.
    private var capacity: Int

    public init() {
        head = PublishHead(topic: UnsafeRawBufferPointer(start: nil, count: 0))
        payload = UnsafeRawBufferPointer(start: nil, count: 0)
        capacity = 512
        memory = .allocate(byteCount: 4 * capacity, alignment: 16)
    }

    deinit { memory.deallocate() }

    /// Begins with another message. `properties` are raw, without Topic Alias, Subscription Identifiers and Message Expiry
    /// Interval.
    public mutating func reset(
        topic: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer,
        messageExpiryInterval: UInt32? = nil
    ) {
        head.topic = topic
        head.properties = properties
        head.messageExpiryInterval = messageExpiryInterval
        self.payload = payload
        forms = (Form(), Form(), Form(), Form())
        // The fixed header 5, lengths 2 and 4, identifier 2, expiry 5.
        let needed = topic.count + properties.count + 18
        if needed > capacity {
            memory.deallocate()
            capacity = needed * 2
            memory = .allocate(byteCount: 4 * capacity, alignment: 16)
        }
    }

    /// The packet's length in bytes for a subscriber.
    public mutating func encodedLength(version: ProtocolVersion, qos: QoS) -> Int {
        form(version, qos).headCount + payload.count
    }

    /// Writes the packet to `target`, which has room for `encodedLength`, and returns its length.
    public mutating func encode(
        version: ProtocolVersion, qos: QoS, isDuplicate: Bool = false, retain: Bool = false,
        packetIdentifier: UInt16 = 0, into target: UnsafeMutableRawPointer
    ) -> Int {
        let count = encodeHead(
            version: version, qos: qos, isDuplicate: isDuplicate, retain: retain, packetIdentifier: packetIdentifier,
            into: target)
        return count + payload.copy(to: target + count)
    }

    /// Writes all before the payload, for who sends a large payload from where it is.
    public mutating func encodeHead(
        version: ProtocolVersion, qos: QoS, isDuplicate: Bool = false, retain: Bool = false,
        packetIdentifier: UInt16 = 0, into target: UnsafeMutableRawPointer
    ) -> Int {
        let form = form(version, qos)
        target.copyMemory(from: memory + Self.index(version, qos) * capacity, byteCount: form.headCount)
        target.storeBytes(of: PublishHead.firstByte(qos, isDuplicate, retain), as: UInt8.self)
        if qos != .atMostOnce {
            (target + form.identifierOffset).storeBytes(of: packetIdentifier.bigEndian, as: UInt16.self)
        }
        return form.headCount
    }

    @inline(__always)
    private static func index(_ version: ProtocolVersion, _ qos: QoS) -> Int {
        (version == .v5 ? 2 : 0) + (qos == .atMostOnce ? 0 : 1)
    }

    @inline(__always)
    private mutating func form(_ version: ProtocolVersion, _ qos: QoS) -> Form {
        let form =
            switch Self.index(version, qos) {
            case 0: forms.0
            case 1: forms.1
            case 2: forms.2
            default: forms.3
            }
        return form.headCount != 0 ? form : prepare(version, qos)
    }

    @inline(never)
    private mutating func prepare(_ version: ProtocolVersion, _ qos: QoS) -> Form {
        let index = Self.index(version, qos)
        head.qos = qos
        var form = Form()
        let start = memory + index * capacity
        form.headCount = head.encodeHead(version: version, payloadCount: payload.count, into: start)
        let remainingLength = head.remainingLength(version, payload.count)
        form.identifierOffset = 1 + VariableByteInteger.encodedLength(remainingLength) + 2 + head.topic.count
        switch index {
        case 0: forms.0 = form
        case 1: forms.1 = form
        case 2: forms.2 = form
        default: forms.3 = form
        }
        return form
    }
}
