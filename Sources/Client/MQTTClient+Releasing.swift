/// QoS 2 for an owner that keeps the Session state over its own end: it takes an identifier and notes what for before it
/// publishes, and notes PUBREC before PUBREL goes (`automaticRelease` false).
extension MQTTClient {
    /// Takes a Packet Identifier of `range` for a PUBLISH at QoS 2, so that the two can be noted together before it is sent;
    /// nil: none is free.
    public func reserveIdentifier(in range: ClosedRange<UInt16>) -> UInt16? { window.reserve(in: range) }

    /// Takes this identifier, which an earlier run of the program used in the same Session, or may have used; where
    /// `isReleased`, PUBREL is what is owed for it. Nothing happens where something uses it.
    public func restoreIdentifier(_ identifier: UInt16, isReleased: Bool = false) {
        guard window.take(identifier), isReleased else { return }
        release(identifier)
    }

    /// Gives up an identifier whose PUBLISH was never sent.
    public func giveUpIdentifier(_ identifier: UInt16) { window.giveUp(identifier) }

    /// Sends PUBREL, once PUBREC is noted, or to have the Server forget what it may have under this identifier. Where no
    /// connection stands it goes with the next.
    public func release(_ identifier: UInt16) {
        let isConnected = state == .connected
        if window.release(identifier, isConnected: isConnected), isConnected {
            writeAcknowledgement(.pubrel, identifier)
        }
    }
}
