import Client
import EventLoop
import MQTT

/// What went wrong with a connection, in words that say what to do.
extension Uplink {
    struct Verdict: Equatable {
        var text: String
        /// Time alone will not heal it: the next attempt comes after the longest wait.
        var isForGood = false
    }

    /// - Parameter wasConnected: a CONNACK had come.
    func verdict(_ failure: MQTTClientError, wasConnected: Bool) -> Verdict {
        switch failure {
        case .refused(let reason, let text):
            var verdict = refusal(reason)
            if !text.isEmpty { verdict.text += " (\(text))" }
            return verdict
        case .connectTimeout:
            return Verdict(text: "connected, but no CONNACK came in time; is an MQTT broker there?")
        case .protocolError(let error) where !wasConnected:
            return Verdict(text: "what answers there doesn't speak MQTT; is it the right port? (\(error))")
        case .closedByPeer, .connectionLost:
            return Verdict(
                text: wasConnected
                    ? "\(failure)" : "\(failure), without a CONNACK; is an MQTT broker there, and not one for TLS?")
        case .protocolError(let error):
            return Verdict(text: "what came is not the MQTT that an upstream may send: \(error)")
        case .serverDisconnected(let reason, _) where reason == .useAnotherServer || reason == .serverMoved:
            return moved
        default:
            return Verdict(text: "\(failure)")
        }
    }

    private func refusal(_ reason: ReasonCode) -> Verdict {
        let user = options.username.map { "user \(String(decoding: $0, as: UTF8.self))" } ?? "us without a user name"
        switch reason {
        case .badUserNameOrPassword:
            return Verdict(
                text: "the upstream refuses the login of \(user): \(reason.name); see username and password_file",
                isForGood: true)
        case .notAuthorized, .banned, .badAuthenticationMethod:
            return Verdict(text: "the upstream doesn't let \(user) in: \(reason.name)", isForGood: true)
        case .clientIdentifierNotValid:
            return Verdict(
                text: "the upstream refuses the client identifier \(options.clientIdentifier); see client_id",
                isForGood: true)
        case .unsupportedProtocolVersion:
            let other = options.version == .v5 ? "MQTT 5; try protocol = 4" : "MQTT 3.1.1; try protocol = 5"
            return Verdict(text: "the upstream doesn't speak \(other)", isForGood: true)
        case .malformedPacket, .protocolError, .packetTooLarge, .topicNameInvalid, .payloadFormatInvalid,
            .retainNotSupported, .qosNotSupported:
            return Verdict(text: "the upstream refuses our CONNECT: \(reason.name)", isForGood: true)
        case .useAnotherServer, .serverMoved: return moved
        default: return Verdict(text: "the upstream can't take us now: \(reason.name)")
        }
    }

    private var moved: Verdict {
        guard let reference = client.serverReference, !reference.isEmpty else {
            return Verdict(
                text: "the upstream says that we shall use another server, but not which; see urls", isForGood: true)
        }
        return Verdict(text: "the upstream has moved to \(reference), which is not one of urls", isForGood: true)
    }

    /// The address that the upstream sends us to, if it is one of ours.
    func redirection(_ failure: MQTTClientError) -> Int? {
        switch failure {
        case .refused(let reason, _), .serverDisconnected(let reason, _):
            guard reason == .useAnotherServer || reason == .serverMoved else { return nil }
        default: return nil
        }
        // A list, as §4.11 of MQTT 5 has it.
        for name in (client.serverReference ?? "").split(separator: " ") {
            let host = name.split(separator: "/").last.map(String.init) ?? ""
            let hasPort = host.last != "]" && host.contains(":")
            let endpoint = Endpoint(parsing: hasPort ? host : host + ":1883")
            if let index = addresses.firstIndex(where: { $0.endpoint == endpoint }) { return index }
        }
        return nil
    }

    /// Whether the upstream's closing may be its answer to what we sent.
    static func isAnswer(_ failure: MQTTClientError) -> Bool {
        switch failure {
        case .closedByPeer, .connectionLost, .protocolError: true
        case .serverDisconnected(let reason, _):
            switch reason {
            case .unspecifiedError, .malformedPacket, .protocolError, .implementationSpecificError, .packetTooLarge,
                .payloadFormatInvalid, .notAuthorized, .quotaExceeded:
                true
            default: false
            }
        default: false
        }
    }
}
