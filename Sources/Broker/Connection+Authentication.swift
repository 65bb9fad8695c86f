import EventLoop
import MQTT

/// A connection whose CONNECT named an Authentication Method.
final class EnhancedAuthentication {
    let method: String
    /// Under way; nil: done.
    var exchange: (any Authentication)?
    /// A step is being looked at.
    var isDeciding = false
    /// CONNECT, while it waits to be let in, and the identifier that it was given.
    var waiting: (connect: Connect, assigned: String?)?
    /// For CONNACK.
    var data: [UInt8]?

    init(_ method: String, _ exchange: any Authentication, _ connect: Connect, assigned: String?) {
        self.method = method
        self.exchange = exchange
        waiting = (connect, assigned)
    }
}

/// Enhanced authentication, MQTT 5 §4.12: AUTH packets before CONNACK, and again whenever the client likes.
extension Connection {
    func authenticate(
        _ connect: Connect, by method: String, assigned: String?, byteCount: Int
    ) throws(MQTTError) {
        guard let exchange = broker.access.authentication(by: method, of: candidate(connect, byteCount)) else {
            throw MQTTError(
                .badAuthenticationMethod, "[MQTT-4.12.0-1] an Authentication Method that isn't known", version: version)
        }
        authentication = EnhancedAuthentication(method, exchange, connect, assigned: assigned)
        state = .admitting
        step(connect.authenticationData)
    }

    /// AUTH from the client.
    func authenticate(_ packet: RawPacket) throws(MQTTError) {
        let auth = try Auth(packet, version: version, from: .client)
        guard let authentication else {
            throw MQTTError(.protocolError, "[MQTT-4.12.0-6] AUTH without an Authentication Method in CONNECT")
        }
        guard auth.authenticationMethod == authentication.method else {
            throw MQTTError(.badAuthenticationMethod, "[MQTT-4.12.0-5] another Authentication Method than CONNECT's")
        }
        if auth.reason == .reAuthenticate {
            try beginAgain(authentication)
        } else {
            guard authentication.exchange != nil, !authentication.isDeciding else {
                throw MQTTError(.protocolError, "§4.12 an AUTH that continues nothing")
            }
        }
        if state == .authenticating { state = .admitting }
        step(auth.authenticationData)
    }

    /// The client is connected and shows who it is once more; what else it sends goes on as before.
    private func beginAgain(_ authentication: EnhancedAuthentication) throws(MQTTError) {
        guard state == .accepted, authentication.exchange == nil, let session else {
            throw MQTTError(.protocolError, "§4.12.1 re-authentication while authentication is under way")
        }
        let candidate = Candidate(clientIdentifier: session.clientIdentifier, peer: peer, listener: listener)
        authentication.exchange = broker.access.authentication(by: authentication.method, of: candidate)
        guard authentication.exchange != nil else {
            throw MQTTError(.badAuthenticationMethod, "an Authentication Method that is no longer known")
        }
    }

    private func step(_ data: [UInt8]?) {
        guard let authentication, let exchange = authentication.exchange else { return }
        authentication.isDeciding = true
        exchange.take(data) { [weak self] step in
            guard let self, state == .admitting || state == .accepted else { return }
            authentication.isDeciding = false
            switch step {
            case .goOn(let data): goOn(authentication.method, data)
            case .admitted(let identity, let data): admitted(identity, data, authentication)
            case .refused(let reason, let why): refused(reason, why)
            }
        }
    }

    private func goOn(_ method: String, _ data: [UInt8]) {
        write(
            Auth(reason: .continueAuthentication, authenticationMethod: method, authenticationData: data).encode())
        guard state == .admitting else { return }
        state = .authenticating
        // Each step may take as long as CONNECT.
        expectPacket(by: broker.loop.now + limits.connectTimeout)
        stream.resumeReading()
    }

    private func admitted(_ identity: ClientIdentity, _ data: [UInt8]?, _ authentication: EnhancedAuthentication) {
        authentication.exchange = nil
        if let (connect, assigned) = authentication.waiting {
            authentication.waiting = nil
            authentication.data = data
            return open(connect, as: identity, assigned: assigned)
        }
        guard let session else { return }
        guard identity.userName == session.userName else {
            return refused(.notAuthorized, "\(name): re-authentication as another user, \(text(identity.userName))")
        }
        session.adopt(identity)
        watchValidity(until: identity.validUntil)
        write(
            Auth(reason: .success, authenticationMethod: authentication.method, authenticationData: data).encode())
        broker.logLine(.info, "\(name) has shown again who it is")
    }

    private func refused(_ reason: ReasonCode, _ why: String?) {
        guard state == .accepted else { return turnAway(reason, because: why) }
        broker.figures.authenticationFailures += 1
        if let why { broker.logLine(.notice, "\(name): disconnected: \(why)") }
        disconnect(with: reason)
    }
}
