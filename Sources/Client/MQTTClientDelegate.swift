import MQTT

/// What happens to an `MQTTClient`, told on its loop. Everything but the first four has an empty default.
///
/// A delegate may call the client from inside any of these, `connect` from inside `didClose` included.
public protocol MQTTClientDelegate: AnyObject {
    /// CONNACK accepted us. `connack.sessionPresent` false means that the Server has no Session: what was published and
    /// not acknowledged is to be published again.
    func client(_ client: MQTTClient, didConnect connack: Connack)

    /// An inbound PUBLISH. Its pointers are valid during the call.
    func client(_ client: MQTTClient, didReceive publish: PublishView)

    /// Our PUBLISH is done, one way or the other: PUBACK (QoS 1), PUBCOMP or a failing PUBREC (QoS 2). The identifier is
    /// free when this is called.
    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode)

    /// PUBREC came for our PUBLISH at QoS 2: `release` it once that is noted. Without `automaticRelease` only, and once for
    /// each PUBLISH.
    func client(_ client: MQTTClient, mayRelease identifier: UInt16)

    /// The connection is over; called once for each `connect`, and last.
    func client(_ client: MQTTClient, didClose error: MQTTClientError)

    /// CONNACK refused us; `didClose` follows.
    func client(_ client: MQTTClient, didRefuse reason: ReasonCode)

    /// SUBACK: one Reason Code for each filter, in the order of the SUBSCRIBE.
    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode])

    /// UNSUBACK; on MQTT 3.1.1, which has no codes in it, `reasons` is empty.
    func client(_ client: MQTTClient, didUnsubscribe identifier: UInt16, reasons: [ReasonCode])

    /// The Server goes on with enhanced authentication; answer with `authenticate`.
    func client(_ client: MQTTClient, didReceive auth: Auth)

    /// A PINGREQ is unanswered for `pingTimeout`: the link is in doubt. Once for each PINGREQ.
    func clientDidMissPing(_ client: MQTTClient)

    /// A PINGREQ was answered; `client.lastRoundTrip` is new.
    func clientDidReceivePong(_ client: MQTTClient)

    /// What the network had not taken for a while (`isBlocked`) has all left.
    func clientDidDrain(_ client: MQTTClient)
}

extension MQTTClientDelegate {
    public func client(_ client: MQTTClient, mayRelease identifier: UInt16) { client.release(identifier) }
    public func client(_ client: MQTTClient, didRefuse reason: ReasonCode) {}
    public func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {}
    public func client(_ client: MQTTClient, didUnsubscribe identifier: UInt16, reasons: [ReasonCode]) {}
    public func client(_ client: MQTTClient, didReceive auth: Auth) {}
    public func clientDidMissPing(_ client: MQTTClient) {}
    public func clientDidReceivePong(_ client: MQTTClient) {}
    public func clientDidDrain(_ client: MQTTClient) {}
}
