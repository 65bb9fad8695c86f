import Glibc

/// Whether the files that the configuration names can be read.
struct FileChecks {
    let settings: Settings
    let findings: Findings

    init(_ settings: Settings, _ findings: Findings) {
        self.settings = settings
        self.findings = findings
    }

    func all() {
        for (path, file) in files where !file.isEmpty && access(file, R_OK) != 0 {
            let reason = String(cString: strerror(errno))
            findings.report("\(TOMLPrinter.quoted(file)) cannot be read: \(reason)", path: path)
        }
    }

    /// Keys and the files they name.
    private var files: [(String, String)] {
        var files = [
            ("access.password_file", settings.access.passwordFile), ("access.acl_file", settings.access.aclFile),
            ("access.jwt.key_file", settings.access.jwt.keyFile), ("admin.token_file", settings.admin.tokenFile),
        ]
        for (index, listener) in settings.listeners.enumerated() {
            let path = "listener.\(index).tls"
            let tls = listener.tls
            files += [
                ("\(path).certificate", tls.certificate), ("\(path).key", tls.key),
                ("\(path).client_ca", tls.clientCA), ("\(path).crl", tls.crl),
            ]
            for (place, item) in tls.more.enumerated() {
                files += [
                    ("\(path).more.\(place).certificate", item.certificate), ("\(path).more.\(place).key", item.key),
                ]
            }
        }
        for (index, uplink) in settings.uplinks.enumerated() {
            let path = "uplink.\(index)"
            files += [
                ("\(path).password_file", uplink.passwordFile), ("\(path).tls.certificate", uplink.tls.certificate),
                ("\(path).tls.key", uplink.tls.key),
            ]
            if uplink.tls.ca != "system" { files.append(("\(path).tls.ca", uplink.tls.ca)) }
        }
        return files
    }
}
