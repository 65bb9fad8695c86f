import Broker
import JSON
import MQTT

extension Admin {
    /// `roost clients`: everybody who is connected or whose session is kept, by Client Identifier.
    func clients() -> HTTPResponse {
        let sessions = broker.sessions.values
            .sorted { $0.clientIdentifier.lexicographicallyPrecedes($1.clientIdentifier) }
        return .json { json in
            json.array { json in
                for session in sessions { write(session, to: &json) }
            }
        }
    }

    func client(_ identifier: String) -> HTTPResponse {
        guard let session = broker.sessions[Array(identifier.utf8)] else { return unknown(identifier) }
        return .json { write(session, to: &$0) }
    }

    private func write(_ session: Session, to json: inout JSONWriter) {
        let connection = session.connection
        let since = connection.map { age(of: $0.connectedAt) } ?? age(ofStoreTime: session.disconnectedAt)
        json.object { json in
            json.member("id", Self.text(session.clientIdentifier))
            json.member("user", session.userName.isEmpty ? nil : Self.text(session.userName))
            json.member("address", connection?.peer)
            json.member("version", connection?.version.text)
            json.member("connected", connection != nil)
            json.member("since_seconds", since)
            json.member("clean", connection?.cleanStart)
            json.member("subscriptions", session.subscriptionCount)
            json.member("queued_messages", session.queuedMessages)
            json.member("queued_bytes", session.queuedBytes)
            json.member("inflight", session.inflightCount)
        }
    }

    /// Closes the client's connection; its session stays.
    func kick(_ identifier: String) -> HTTPResponse {
        let bytes = Array(identifier.utf8)
        guard let session = broker.sessions[bytes] else { return unknown(identifier) }
        guard session.isConnected else { return .failure(.conflict, "\(identifier) is not connected") }
        _ = broker.kick(bytes)
        actions.log(.notice, "\(identifier): disconnected by an administrator")
        return .done
    }

    /// Ends the client's session, with what waits for it.
    func discard(_ identifier: String) -> HTTPResponse {
        guard broker.kick(Array(identifier.utf8), discard: true) else { return unknown(identifier) }
        actions.log(.notice, "session \(identifier): ended by an administrator")
        return .done
    }

    private func unknown(_ identifier: String) -> HTTPResponse {
        .failure(
            .notFound, "no client \(identifier), connected or with a session. See them all: roost clients")
    }
}

extension ProtocolVersion {
    var text: String {
        switch self {
        case .v311: "3.1.1"
        case .v5: "5"
        }
    }
}
