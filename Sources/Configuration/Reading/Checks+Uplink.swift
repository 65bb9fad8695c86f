/// What holds for an uplink, its routes and its subscriptions.
extension Checks {
    func check(_ uplink: UplinkSettings, _ filled: UplinkSettings, _ path: String) {
        required(uplink.name.isEmpty, "\(path).name")
        if uplink.urls.isEmpty, !findings.hasProblem(at: "\(path).urls") {
            findings.report("an uplink needs at least one url", path: "\(path).urls")
        }
        if !uplink.passwordFile.isEmpty, uplink.username.isEmpty {
            findings.report("needs username", path: "\(path).password_file")
        }
        pair(certificate: uplink.tls.certificate, key: uplink.tls.key, "\(path).tls")
        backoff(uplink.reconnect, "\(path).reconnect")
        burst(uplink.egressBurstBits, uplink.egressBitsPerSecond, "\(path).egress")
        burst(uplink.ingressBurstBits, uplink.ingressBitsPerSecond, "\(path).ingress")
        placeholders(uplink.clientID, "\(path).client_id", name: uplink.name)
        placeholders(uplink.batchPrefix, "\(path).batch_prefix", name: uplink.name)
        unique(
            filled.routes.map(\.placeName), "\(path).route", "name", "another route of this uplink has this name")
        for (index, route) in filled.routes.enumerated() where uplink.twin && route.placeName == "twin" {
            findings.report("\"twin\" is the route that twin = true makes", path: "\(path).route.\(index).name")
        }
        if uplink.twin, !settings.twin.enabled {
            findings.report("needs twin.enabled", path: "\(path).twin")
        }
        for (index, route) in uplink.routes.enumerated() {
            check(route, of: uplink, "\(path).route.\(index)")
            guard uplink.protocol == .v4, route.mode == .each else { continue }
            loops(filled.routes[index].filter, filled.subscriptions, "\(path).route.\(index).filter")
        }
        for (index, subscription) in uplink.subscriptions.enumerated() {
            let place = "\(path).subscribe.\(index)"
            required(subscription.filter.isEmpty, "\(place).filter")
            placeholders(subscription.filter, "\(place).filter", name: uplink.name)
            placeholders(subscription.topic, "\(place).topic", name: uplink.name, topic: true)
        }
    }

    private func burst(_ burst: Int, _ rate: Int, _ path: String) {
        guard burst > 0, rate == 0 else { return }
        let key = path.split(separator: ".").last.map(String.init) ?? path
        findings.report("needs \(key)_rate", path: "\(path)_burst")
    }

    private func check(_ route: RouteSettings, of uplink: UplinkSettings, _ path: String) {
        required(route.filter.isEmpty, "\(path).filter")
        placeholders(route.filter, "\(path).filter", name: uplink.name)
        placeholders(route.topic, "\(path).topic", name: uplink.name, topic: true)
        if route.filter.hasPrefix("$share/") {
            findings.report("a route has no share group", path: "\(path).filter")
        }
        if route.ack == .upstream {
            if !route.window.isEmpty {
                findings.report(
                    "\"upstream\" cannot be had with window: a publisher would wait for it", path: "\(path).ack")
            }
            if route.keep == .latest {
                findings.report(
                    "\"upstream\" cannot be had with keep = \"latest\": what is superseded is never acknowledged",
                    path: "\(path).ack")
            }
        }
        if route.qos == 2 { exactlyOnce(route, of: uplink, "\(path).qos") }
        if let budget = route.budgetBytes, budget > settings.store.budgetBytes {
            findings.report("is larger than store.budget", path: "\(path).budget")
        }
    }

    /// What the upstream counts by, its Session and one order of messages, must be there.
    private func exactlyOnce(_ route: RouteSettings, of uplink: UplinkSettings, _ path: String) {
        if route.mode == .batch {
            findings.report("2 is for mode \"each\": what comes in batches is taken once by their numbers", path: path)
        }
        if route.send == .newest || route.keep == .latest {
            findings.report("2 cannot be had with send = \"newest\" or keep = \"latest\"", path: path)
        }
        if uplink.sessionExpiry == .zero {
            findings.report("2 needs a session_expiry: the upstream counts by our session", path: path)
        }
    }

    /// MQTT 3.1.1 has no No Local: what the uplink publishes would come back by its own subscription, and go round.
    private func loops(_ filter: String, _ subscriptions: [SubscribeSettings], _ path: String) {
        for subscription in subscriptions where Topics.overlap(filter, subscription.filter) {
            findings.report(
                "\"\(filter)\" and the subscription \"\(subscription.filter)\" of this uplink have topics in common; with "
                    + "protocol 4 and mode \"each\" these messages would go round",
                path: path)
        }
    }
}
