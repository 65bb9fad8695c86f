import Configuration
import EventLoop

extension ListenerTLSSettings {
    /// Nil where TLS is off.
    func context() throws(TLSError) -> TLSServerContext? {
        guard isEnabled else { return nil }
        var credentials = [TLSCredentials(certificate: certificate, key: key)]
        credentials += more.map { TLSCredentials(certificate: $0.certificate, key: $0.key) }
        var options = TLSServerContext.Options(credentials: credentials)
        options.clientAuthorities = clientCA
        options.revoked = crl
        options.requiresClientCertificate = requireClient
        return try TLSServerContext(options)
    }
}

extension UplinkSettings {
    /// Nil where no address wants TLS.
    func tlsContext() throws(Daemon.Failure) -> TLSClientContext? {
        guard urls.contains(where: \.usesTLS) else { return nil }
        do throws(TLSError) {
            return try TLSClientContext(tls.options)
        } catch {
            throw Daemon.Failure(exitCode: 1, message: "uplink \(name): tls: \(error)")
        }
    }
}

extension UplinkTLSSettings {
    var options: TLSClientContext.Options {
        var options = TLSClientContext.Options()
        options.authorities = ca
        if !certificate.isEmpty { options.credentials = TLSCredentials(certificate: certificate, key: key) }
        options.protocols = alpn
        options.serverName = serverName
        return options
    }
}

extension Settings {
    /// Certificates, keys and lists that TLS can't use, by the setting that names them; and what a person should know of those
    /// that it can.
    func inspectTLS() -> (problems: [(path: String, text: String)], warnings: [(path: String, text: String)]) {
        var problems: [(path: String, text: String)] = []
        var warnings: [(path: String, text: String)] = []
        for (index, listener) in listeners.enumerated() {
            let path = "listener.\(index).tls"
            do throws(TLSError) {
                warnings += (try listener.tls.context()?.warnings ?? []).map {
                    (listener.tls.key(of: $0, path), "\($0)")
                }
            } catch {
                problems.append((listener.tls.key(of: error, path), "\(error)"))
            }
        }
        for (index, uplink) in uplinks.enumerated() where uplink.urls.contains(where: \.usesTLS) {
            let path = "uplink.\(index).tls"
            do throws(TLSError) {
                let options = uplink.tls.options
                let found = try TLSClientContext(options).warnings(options)
                warnings += found.map { (uplink.tls.key(of: $0, path), "\($0)") }
            } catch {
                problems.append((uplink.tls.key(of: error, path), "\(error)"))
            }
        }
        return (problems, warnings)
    }
}

extension ListenerTLSSettings {
    /// The setting that names the error's file.
    fileprivate func key(of error: TLSError, _ path: String) -> String {
        let named = [
            (certificate, "certificate"), (key, "key"), (clientCA, "client_ca"), (crl, "crl"),
        ]
        if let setting = named.first(where: { $0.0 == error.path }) { return "\(path).\(setting.1)" }
        if let place = more.firstIndex(where: { $0.certificate == error.path }) {
            return "\(path).more.\(place).certificate"
        }
        if let place = more.firstIndex(where: { $0.key == error.path }) { return "\(path).more.\(place).key" }
        return path
    }
}

extension UplinkTLSSettings {
    fileprivate func key(of error: TLSError, _ path: String) -> String {
        let named = [(ca, "ca"), (certificate, "certificate"), (key, "key")]
        return named.first { $0.0 == error.path }.map { "\(path).\($0.1)" } ?? path
    }
}
