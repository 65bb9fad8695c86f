/// The rules that hold between settings, or that need more than one value to be judged.
struct Checks {
    let settings: Settings
    /// The same with placeholders filled in: names and filters that differ in the file may meet here.
    let filled: Settings
    let findings: Findings

    init(_ settings: Settings, _ findings: Findings) {
        self.settings = settings
        filled = settings.expanded()
        self.findings = findings
    }

    func all() {
        node()
        listeners()
        access()
        for (index, uplink) in settings.uplinks.enumerated() {
            check(uplink, filled.uplinks[index], "uplink.\(index)")
        }
        unique(settings.uplinks.map(\.name), "uplink", "name", "another uplink has this name")
        placeholders(settings.ingest.filter, "ingest.filter")
        ingestTopic()
        modules()
        admin()
    }

    /// Reports a value that stands in several items of an array, at every later one.
    func unique(_ values: [String], _ array: String, _ key: String, _ message: String) {
        var seen: Set<String> = []
        for (index, value) in values.enumerated() where !value.isEmpty {
            guard !seen.insert(value).inserted else { continue }
            findings.report("\(TOMLPrinter.quoted(value)): \(message)", path: "\(array).\(index).\(key)")
        }
    }

    /// Reports a key without which its table means nothing.
    func required(_ isMissing: Bool, _ path: String) {
        guard isMissing, findings.origins[path] == nil else { return }
        findings.report("is missing", path: path)
    }

    func placeholders(_ text: String, _ path: String, name: String? = nil, data: String? = nil, topic: Bool = false) {
        var known = settings.placeholders
        known.name = name
        known.data = data
        report(text, known, keeping: topic ? ["topic"] : [], path)
    }

    private func report(_ text: String, _ known: Placeholders, keeping: Set<String>, _ path: String) {
        do throws(Placeholders.Unknown) {
            let result = try known.expand(text, keeping: keeping)
            if result.unicodeScalars.contains("\0") { findings.report("contains U+0000", path: path) }
        } catch {
            findings.report(error.message, path: path)
        }
    }

    private func node() {
        if let problem = Topics.levelProblem(settings.node.id) { findings.report(problem, path: "node.id") }
        for (name, text) in settings.node.labels.sorted(by: { $0.key < $1.key }) {
            let isFit = !text.isEmpty && !text.contains { "+#{}".contains($0) }
            if !isFit {
                findings.report("\(name): \(TOMLPrinter.quoted(text)) cannot stand in a topic", path: "node.labels")
            }
            if name.isEmpty || name.contains(where: { "{}:/+#".contains($0) }) {
                findings.report(
                    "\(TOMLPrinter.quoted(name)) is not a label's name (no { } : / + #)", path: "node.labels")
            }
        }
    }

    private func listeners() {
        unique(settings.listeners.map(\.bind.description), "listener", "bind", "another listener has this address")
        for (index, listener) in settings.listeners.enumerated() {
            let path = "listener.\(index).tls"
            let tls = listener.tls
            if listener.userFrom == .peer {
                guard case .unix = listener.bind else {
                    findings.report(
                        "\"peer\" is for Unix sockets; tls.user_from names clients by certificate",
                        path: "listener.\(index).user_from")
                    continue
                }
            }
            pair(certificate: tls.certificate, key: tls.key, path)
            if !tls.isEnabled {
                for (isGiven, key) in [
                    (!tls.clientCA.isEmpty, "client_ca"), (!tls.crl.isEmpty, "crl"),
                    (tls.requireClient, "require_client"),
                    (tls.userFrom != .none, "user_from"), (!tls.more.isEmpty, "more"),
                ] where isGiven {
                    findings.report("needs tls.certificate", path: "\(path).\(key)")
                }
            } else if tls.clientCA.isEmpty {
                if tls.requireClient { findings.report("needs tls.client_ca", path: "\(path).require_client") }
                if tls.userFrom != .none { findings.report("needs tls.client_ca", path: "\(path).user_from") }
                if !tls.crl.isEmpty { findings.report("needs tls.client_ca", path: "\(path).crl") }
            }
            for (place, item) in tls.more.enumerated() {
                required(item.certificate.isEmpty, "\(path).more.\(place).certificate")
                required(item.key.isEmpty, "\(path).more.\(place).key")
            }
        }
    }

    func pair(certificate: String, key: String, _ path: String) {
        if !certificate.isEmpty, key.isEmpty { findings.report("needs tls.key", path: "\(path).certificate") }
        if certificate.isEmpty, !key.isEmpty { findings.report("needs tls.certificate", path: "\(path).key") }
    }

    private func access() {
        if !settings.access.jwt.keyFile.isEmpty, settings.access.jwt.algorithms.isEmpty {
            findings.report("no algorithm is allowed, so no token could be valid", path: "access.jwt.algorithms")
        }
        unique(settings.access.users.map(\.name), "access.user", "name", "another user has this name")
        for (index, user) in settings.access.users.enumerated() {
            let path = "access.user.\(index)"
            required(user.name.isEmpty, "\(path).name")
            for filter in user.publish { placeholders(filter, "\(path).publish") }
            for filter in user.subscribe { placeholders(filter, "\(path).subscribe") }
        }
    }

    /// `{node}` and labels are the batch's here, known only then.
    private func ingestTopic() {
        let known = Placeholders(node: "node")
        report(settings.ingest.topic, known, keeping: ["topic", "label"], "ingest.topic")
    }

    private func modules() {
        unique(settings.modules.map(\.name), "module", "name", "another module has this name")
        for (index, module) in settings.modules.enumerated() {
            let path = "module.\(index)"
            required(module.name.isEmpty, "\(path).name")
            required(module.program.isEmpty, "\(path).program")
            backoff(module.restart, "\(path).restart")
            for filter in module.publish { placeholders(filter, "\(path).publish", name: module.name) }
            for filter in module.subscribe { placeholders(filter, "\(path).subscribe", name: module.name) }
            for name in module.environment.keys.sorted() where name.isEmpty || name.contains("=") {
                findings.report("\(TOMLPrinter.quoted(name)) is not a variable's name", path: "\(path).environment")
            }
        }
    }

    func backoff(_ backoff: BackoffSettings, _ path: String) {
        guard backoff.min > backoff.max else { return }
        findings.report("min is longer than max", path: "\(path).min")
    }

    private func admin() {
        placeholders(settings.admin.socket, "admin.socket", data: settings.node.data)
        if let http = settings.admin.http, !http.isLoopback, settings.admin.tokenFile.isEmpty {
            findings.report("\"\(http.description)\" is not loopback: it needs admin.token_file", path: "admin.http")
        }
    }
}
