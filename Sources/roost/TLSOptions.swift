import ArgumentParser
import EventLoop

/// Whom to trust, and how to show ourselves, over TLS: mosquitto_pub's words. Any of them asks for TLS; so do mqtts:// and wss://.
struct TLSOptions: ParsableArguments {
    @Option(
        name: .customLong("cafile"),
        help: ArgumentHelp("Certificate authorities to trust, PEM. Default: the system's.", valueName: "file"))
    var authorities: String?

    @Option(name: .customLong("cert"), help: ArgumentHelp("Our certificate, PEM.", valueName: "file"))
    var certificate: String?

    @Option(help: ArgumentHelp("Its private key, PEM.", valueName: "file"))
    var key: String?

    @Option(
        name: .customLong("tls-alpn"), help: ArgumentHelp("The ALPN protocol to offer.", valueName: "protocol"))
    var alpn: String?

    @Option(
        help: ArgumentHelp("The name that the broker's certificate is for, if not the host's.", valueName: "name"))
    var serverName: String?

    var isWanted: Bool {
        authorities != nil || certificate != nil || key != nil || alpn != nil || serverName != nil
    }

    func validate() throws {
        guard key == nil || certificate != nil else { throw ValidationError("--key belongs to a certificate: --cert") }
    }

    /// What lies between the socket to `address` and MQTT.
    func layers(to address: MQTTAddress) throws -> StreamLayers {
        guard address.usesTLS, case .tcp(let host, _) = address.endpoint else {
            return StreamLayers(webSocket: address.webSocket)
        }
        var options = TLSClientContext.Options()
        options.authorities = authorities ?? "system"
        if let certificate { options.credentials = TLSCredentials(certificate: certificate, key: key ?? "") }
        options.protocols = alpn.map { [$0] } ?? []
        options.serverName = serverName ?? ""
        do throws(TLSError) {
            return StreamLayers(tls: try TLSClientContext(options), host: host, webSocket: address.webSocket)
        } catch {
            throw Failure.usage("\(error)")
        }
    }
}
