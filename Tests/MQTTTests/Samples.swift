import MQTT
import Testing

/// A packet of every type with everything it can carry, and with nothing, encoded by this library.
struct Sample: Sendable, CustomTestStringConvertible {
    var name: String
    var version: ProtocolVersion
    var bytes: [UInt8]
    var decoded: Decoded?

    var testDescription: String { "\(name) \(version)" }

    static let all: [Sample] = both(.v311) + both(.v5) + v5
    private static let user = [UserProperty("name", "value"), UserProperty("name", "ü"), UserProperty("", "")]

    private static func both(_ version: ProtocolVersion) -> [Sample] {
        let isV5 = version == .v5
        let will = Will(topic: Array("last/will".utf8), payload: [0, 255], qos: .exactlyOnce, retain: true)
        let connect = Connect(
            version: version, clientIdentifier: Array("client".utf8), cleanStart: false, keepAlive: 1, will: will,
            username: Array("user".utf8), password: [0, 1, 2])
        let subscribe = Subscribe(
            packetIdentifier: 65_535,
            filters: [
                Subscription(filter: Array("a/+/#".utf8), qos: .exactlyOnce),
                Subscription(filter: [0x61], qos: .atMostOnce),
            ])
        let unsubscribe = Unsubscribe(packetIdentifier: 256, filters: [Array("a/#".utf8), Array("$share/g/b".utf8)])
        let suback = Suback(packetIdentifier: 9, reasons: [.grantedQoS2, .unspecifiedError])
        let unsuback = Unsuback(packetIdentifier: 9, reasons: isV5 ? [.success, .noSubscriptionExisted] : [])
        let minimal = Connect(version: version)
        return [
            Sample(name: "CONNECT", version: version, bytes: connect.encode(), decoded: .connect(connect)),
            Sample(name: "CONNECT, minimal", version: version, bytes: minimal.encode(), decoded: .connect(minimal)),
            Sample(
                name: "CONNACK", version: version, bytes: Connack(sessionPresent: true).encode(version: version),
                decoded: .connack(Connack(sessionPresent: true))),
            Sample(
                name: "CONNACK, refused", version: version,
                bytes: Connack(reason: .notAuthorized).encode(version: version),
                decoded: .connack(Connack(reason: .notAuthorized))),
            Sample(
                name: "SUBSCRIBE", version: version, bytes: subscribe.encode(version: version),
                decoded: .subscribe(subscribe)),
            Sample(name: "SUBACK", version: version, bytes: suback.encode(version: version), decoded: .suback(suback)),
            Sample(
                name: "UNSUBSCRIBE", version: version, bytes: unsubscribe.encode(version: version),
                decoded: .unsubscribe(unsubscribe)),
            Sample(
                name: "UNSUBACK", version: version, bytes: unsuback.encode(version: version),
                decoded: .unsuback(unsuback)),
            Sample(
                name: "DISCONNECT", version: version, bytes: Disconnect().encode(version: version),
                decoded: .disconnect(Disconnect())),
            Sample(name: "PINGREQ", version: version, bytes: Ping.request, decoded: .ping(.pingreq)),
            Sample(name: "PINGRESP", version: version, bytes: Ping.response, decoded: .ping(.pingresp)),
            Sample(name: "PUBLISH QoS 0", version: version, bytes: packet(0x31, isV5 ? "0001 'a' 00" : "0001 'a'")),
            Sample(
                name: "PUBLISH QoS 2", version: version,
                bytes: packet(0x3D, "0005 't/' C3BC '1' 0102" + (isV5 ? "00" : "") + "'payload'")),
        ]
            + [PacketType.puback, .pubrec, .pubrel, .pubcomp].map { type in
                let acknowledgement = Acknowledgement(type, packetIdentifier: 258)
                return Sample(
                    name: "\(type)", version: version, bytes: acknowledgement.encode(version: version),
                    decoded: .acknowledgement(acknowledgement))
            }
    }

    private static var v5: [Sample] {
        let connect = Connect(
            clientIdentifier: Array("c".utf8),
            will: Will(
                topic: [0x77], payload: [], delay: 5, messageExpiryInterval: 9,
                properties: MQTTTests.bytes("01 01 03 0001 't'")),
            password: [1], sessionExpiryInterval: .max, receiveMaximum: 1, maximumPacketSize: 100, topicAliasMaximum: 3,
            requestResponseInformation: true, requestProblemInformation: false, userProperties: user,
            authenticationMethod: "method", authenticationData: [0, 1])
        var connack = Connack()
        connack.sessionExpiryInterval = 0
        connack.receiveMaximum = 2
        connack.maximumQoS = .atLeastOnce
        connack.retainAvailable = false
        connack.maximumPacketSize = 4_000_000
        connack.assignedClientIdentifier = "assigned"
        connack.topicAliasMaximum = 1
        connack.reasonString = "why"
        connack.userProperties = user
        connack.wildcardSubscriptionAvailable = false
        connack.subscriptionIdentifierAvailable = false
        connack.sharedSubscriptionAvailable = false
        connack.serverKeepAlive = 0
        connack.responseInformation = "info"
        connack.serverReference = "other"
        connack.authenticationMethod = "method"
        connack.authenticationData = [3]
        let subscribe = Subscribe(
            packetIdentifier: 1,
            filters: [
                Subscription(
                    filter: [0x61], qos: .atLeastOnce, noLocal: true, retainAsPublished: true,
                    retainHandling: .doNotSend),
                Subscription(filter: Array("$share/g/+".utf8), qos: .atMostOnce, retainHandling: .sendIfNew),
            ], subscriptionIdentifier: 268_435_455, userProperties: user)
        let suback = Suback(packetIdentifier: 1, reasons: [.grantedQoS0], reasonString: "why", userProperties: user)
        let unsubscribe = Unsubscribe(packetIdentifier: 1, filters: [[0x61]], userProperties: user)
        let unsuback = Unsuback(packetIdentifier: 1, reasons: [.notAuthorized], reasonString: "", userProperties: user)
        let disconnect = Disconnect(
            reason: .serverMoved, sessionExpiryInterval: 7, reasonString: "why", serverReference: "there",
            userProperties: user)
        let auth = Auth(
            reason: .continueAuthentication, authenticationMethod: "m", authenticationData: [1, 2], reasonString: "r",
            userProperties: user)
        let success = Auth(reason: .success, authenticationMethod: nil)
        let refused = Acknowledgement(.pubrec, packetIdentifier: 3, reason: .quotaExceeded)
        let short = Disconnect(reason: .serverBusy)
        return [
            Sample(name: "CONNECT, full", version: .v5, bytes: connect.encode(), decoded: .connect(connect)),
            Sample(
                name: "CONNACK, full", version: .v5, bytes: connack.encode(version: .v5), decoded: .connack(connack)),
            Sample(
                name: "SUBSCRIBE, full", version: .v5, bytes: subscribe.encode(version: .v5),
                decoded: .subscribe(subscribe)),
            Sample(name: "SUBACK, full", version: .v5, bytes: suback.encode(version: .v5), decoded: .suback(suback)),
            Sample(
                name: "UNSUBSCRIBE, full", version: .v5, bytes: unsubscribe.encode(version: .v5),
                decoded: .unsubscribe(unsubscribe)),
            Sample(
                name: "UNSUBACK, full", version: .v5, bytes: unsuback.encode(version: .v5), decoded: .unsuback(unsuback)
            ),
            Sample(
                name: "DISCONNECT, full", version: .v5, bytes: disconnect.encode(version: .v5),
                decoded: .disconnect(disconnect)),
            Sample(
                name: "DISCONNECT, short", version: .v5, bytes: short.encode(version: .v5), decoded: .disconnect(short)),
            Sample(name: "AUTH, full", version: .v5, bytes: auth.encode(), decoded: .auth(auth)),
            Sample(name: "AUTH, empty", version: .v5, bytes: success.encode(), decoded: .auth(success)),
            Sample(
                name: "PUBREC, refused", version: .v5, bytes: refused.encode(version: .v5),
                decoded: .acknowledgement(refused)),
            Sample(
                name: "PUBACK, full", version: .v5, bytes: packet(0x40, "0001 87 0B 1F 0001 'r' 26 0001 'k' 0001 'v'"),
                decoded: .acknowledgement(Acknowledgement(.puback, packetIdentifier: 1, reason: .notAuthorized))),
            Sample(
                name: "PUBLISH, full", version: .v5,
                bytes: packet(
                    0x32,
                    "0001 'a' 0007 21 0101 02 00000001 03 0001 't' 08 0001 'r' 09 0001 FF 0B 05 0B 8001 23 0001"
                        + "26 0001 'k' 0000 'payload'")),
        ]
    }
}
