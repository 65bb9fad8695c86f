import MQTT

extension MQTTClient {
    /// What a client says in CONNECT, and how patient it is.
    public struct Options {
        /// What the fixed header can say, in bytes.
        public static let largestPacket = VariableByteInteger.maximum + 5

        /// UTF-8. Empty: the Server assigns one (`server?.assignedClientIdentifier`); on 3.1.1 that needs `cleanStart`
        /// [MQTT-3.1.3-7 of 3.1.1].
        public var clientIdentifier: [UInt8] = []
        public var version: ProtocolVersion = .v5
        /// Clean Start; on 3.1.1 Clean Session.
        public var cleanStart = true
        /// Seconds that the Server keeps the Session after the connection; `UInt32.max`: for ever. MQTT 5 only.
        public var sessionExpiryInterval: UInt32 = 0
        /// Seconds; 0: no PINGREQ is ever sent. A Server Keep Alive takes its place [MQTT-3.2.2-21].
        public var keepAlive: UInt16 = 60
        public var username: [UInt8]?
        public var password: [UInt8]?
        public var will: Will?
        /// How many PUBLISHes with QoS above 0 the Server may have unacknowledged, 1...65535.
        public var receiveMaximum: UInt16 = 65_535
        /// The largest packet accepted, in bytes; announced on MQTT 5, enforced on both.
        public var maximumPacketSize = Options.largestPacket
        /// Topic Aliases that the Server may use towards us; 0: none.
        public var topicAliasMaximum: UInt16 = 0
        /// Topic Aliases that we use towards the Server at most, within what it allows; 0: none.
        public var outboundTopicAliases: UInt16 = 0
        /// Response Information in CONNACK is wanted.
        public var requestResponseInformation = false
        public var userProperties: [UserProperty] = []
        /// Enhanced authentication (MQTT 5 §4.12): the exchange goes on by `didReceive auth` and `authenticate`. Nil: none.
        public var authenticationMethod: String?
        public var authenticationData: [UInt8]?

        /// The most PUBLISHes with QoS above 0 that we leave unacknowledged, whatever the Server allows. It is what
        /// bounds a client of an MQTT 3.1.1 Server, which announces no Receive Maximum.
        public var sendMaximum: UInt16 = 65_535
        /// From `connect` to CONNACK.
        public var connectTimeout: Duration = .seconds(10)
        /// A PINGREQ unanswered for this long is reported by `clientDidMissPing(_:)`.
        public var pingTimeout: Duration = .seconds(5)
        /// Without a byte for this long after a PINGREQ the connection is closed as `keepAliveMissed`.
        public var pingDeadline: Duration = .seconds(20)
        /// How long `disconnect` waits for unsent bytes to leave and for the Server to close.
        public var closeDeadline: Duration = .seconds(5)
        /// True: an inbound PUBLISH is acknowledged as soon as the delegate has seen it. False: by `acknowledge`.
        public var automaticAcknowledgement = true
        /// True: PUBREL follows PUBREC at once. False: once the owner has noted PUBREC, by `release`; what the Server has of
        /// our QoS 2 PUBLISHes in a Session that it no longer has is the owner's to know then.
        public var automaticRelease = true

        public init() {}
    }
}
