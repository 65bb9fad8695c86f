import MQTT

/// One enhanced authentication (MQTT 5 §4.12) as access control carries it out: what the client says, step by step. All of it
/// on the loop; who is gone meanwhile lets go of it.
public protocol Authentication: AnyObject {
    /// Takes the Authentication Data of CONNECT or AUTH. `then` is called once, at once or later.
    func take(_ data: [UInt8]?, then: @escaping (AuthenticationStep) -> Void)
}

/// What follows from a step.
public enum AuthenticationStep {
    /// The client is asked to go on, with this Authentication Data.
    case goOn([UInt8])
    /// It has shown who it is. The data goes with CONNACK, or with AUTH where it was connected already.
    case admitted(ClientIdentity, [UInt8]?)
    /// `why` is for the log; nil where it has been said.
    case refused(ReasonCode, why: String?)
}
