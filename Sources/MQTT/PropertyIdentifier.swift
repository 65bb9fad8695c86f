/// The 27 properties, MQTT 5 §2.2.2.2 table 2-4.
public enum PropertyIdentifier: UInt8, Sendable, CaseIterable {
    case payloadFormatIndicator = 0x01
    case messageExpiryInterval = 0x02
    case contentType = 0x03
    case responseTopic = 0x08
    case correlationData = 0x09
    case subscriptionIdentifier = 0x0B
    case sessionExpiryInterval = 0x11
    case assignedClientIdentifier = 0x12
    case serverKeepAlive = 0x13
    case authenticationMethod = 0x15
    case authenticationData = 0x16
    case requestProblemInformation = 0x17
    case willDelayInterval = 0x18
    case requestResponseInformation = 0x19
    case responseInformation = 0x1A
    case serverReference = 0x1C
    case reasonString = 0x1F
    case receiveMaximum = 0x21
    case topicAliasMaximum = 0x22
    case topicAlias = 0x23
    case maximumQoS = 0x24
    case retainAvailable = 0x25
    case userProperty = 0x26
    case maximumPacketSize = 0x27
    case wildcardSubscriptionAvailable = 0x28
    case subscriptionIdentifierAvailable = 0x29
    case sharedSubscriptionAvailable = 0x2A
}

/// A set of properties as bits, one for each identifier; they all lie below 64.
struct PropertySet {
    var bits: UInt64

    init(_ members: PropertyIdentifier...) {
        bits = 0
        for member in members { bits |= 1 << UInt64(member.rawValue) }
    }

    @inline(__always)
    func contains(_ member: PropertyIdentifier) -> Bool { bits & (1 << UInt64(member.rawValue)) != 0 }

    @inline(__always)
    mutating func insert(_ member: PropertyIdentifier) { bits |= 1 << UInt64(member.rawValue) }
}

/// Where each property may stand, table 2-4.
extension PropertySet {
    static let connect = PropertySet(
        .sessionExpiryInterval, .authenticationMethod, .authenticationData, .requestProblemInformation,
        .requestResponseInformation, .receiveMaximum, .topicAliasMaximum, .userProperty, .maximumPacketSize)
    static let will = PropertySet(
        .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData,
        .willDelayInterval, .userProperty)
    static let connack = PropertySet(
        .sessionExpiryInterval, .assignedClientIdentifier, .serverKeepAlive, .authenticationMethod,
        .authenticationData, .responseInformation, .serverReference, .reasonString, .receiveMaximum,
        .topicAliasMaximum, .maximumQoS, .retainAvailable, .userProperty, .maximumPacketSize,
        .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable, .sharedSubscriptionAvailable)
    static let publish = PropertySet(
        .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData,
        .subscriptionIdentifier, .topicAlias, .userProperty)
    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
    static let acknowledgement = PropertySet(.reasonString, .userProperty)
    static let subscribe = PropertySet(.subscriptionIdentifier, .userProperty)
    static let unsubscribe = PropertySet(.userProperty)
    static let disconnect = PropertySet(.sessionExpiryInterval, .serverReference, .reasonString, .userProperty)
    static let auth = PropertySet(.authenticationMethod, .authenticationData, .reasonString, .userProperty)
    /// What a publisher's packet carries but a forwarded one doesn't, or not with the same value.
    static let hopByHop = PropertySet(.topicAlias, .subscriptionIdentifier, .messageExpiryInterval)
    static let repeatableInPublish = PropertySet(.userProperty, .subscriptionIdentifier)
    static let repeatable = PropertySet(.userProperty)
}
