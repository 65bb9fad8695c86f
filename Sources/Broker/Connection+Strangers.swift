import MQTT

/// Those who speak something else to an MQTT listener: a browser, a client that wants TLS, a port scanner.
extension Connection {
    static var noConnect: MQTTError { MQTTError(.protocolError, "[MQTT-3.1.0-1] the first packet is not CONNECT") }

    /// Why a connection without a CONNECT failed, in words for whoever reads the log.
    ///
    /// - Parameter bytes: the first that came.
    static func explain(_ error: MQTTError, _ bytes: UnsafeRawBufferPointer) -> MQTTError {
        func begins(_ text: String) -> Bool { bytes.starts(with: text.utf8) }
        let isHTTP = begins("GET ") || begins("HEAD ") || begins("POST ") || begins("PUT ") || begins("OPTIONS ")
        if isHTTP {
            return MQTTError(error.reason, "this is HTTP, and the listener speaks MQTT", version: error.version)
        }
        for (version, signature) in [(1, "PROXY "), (2, "\r\n\r\n\0\r\nQUIT\n")] where begins(signature) {
            let advice = "a PROXY header, which the listener doesn't take (proxy_protocol = \(version))"
            return MQTTError(error.reason, "this is \(advice)", version: error.version)
        }
        // A handshake record of any version of TLS.
        guard bytes.count > 2, bytes[0] == 0x16, bytes[1] == 3 else { return error }
        return MQTTError(error.reason, "this is TLS, which the listener doesn't speak")
    }

    /// The stream's own layer (TLS, WebSocket) was not agreed on, or was broken.
    func noteViolation(_ text: String) {
        guard session == nil else { return broker.logLine(.notice, "\(name): \(text)") }
        broker.noteStranger(peer, text, at: listener)
    }
}

extension Broker {
    /// Who comes to a listener and speaks something else. One line an episode and listener: whoever scans ports comes often.
    public func noteStranger(_ peer: String, _ text: String, at listener: ListenerOptions) {
        guard listener.strangers.begins(at: loop.now) else { return }
        logLine(.notice, "\(peer): \(text)")
    }
}
