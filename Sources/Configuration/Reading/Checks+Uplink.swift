/// What holds for an uplink, its routes and its subscriptions.
extension Checks {
    func check(_ uplink: UplinkSettings, _ path: String) {
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
            uplink.routes.map(\.placeName), "\(path).route", "name", "another route of this uplink has this name")
        for (index, route) in uplink.routes.enumerated() { check(route, of: uplink, "\(path).route.\(index)") }
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
            if route.window != nil {
                findings.report(
                    "\"upstream\" cannot be had with window: a publisher would wait for it", path: "\(path).ack")
            }
            if route.keep == .latest {
                findings.report(
                    "\"upstream\" cannot be had with keep = \"latest\": what is superseded is never acknowledged",
                    path: "\(path).ack")
            }
        }
        if let budget = route.budgetBytes, budget > settings.store.budgetBytes {
            findings.report("is larger than store.budget", path: "\(path).budget")
        }
        if uplink.protocol == .v4, route.mode == .each { loops(route, of: uplink, path) }
    }

    /// MQTT 3.1.1 has no No Local: what the uplink publishes would come back by its own subscription, and go round.
    private func loops(_ route: RouteSettings, of uplink: UplinkSettings, _ path: String) {
        var known = settings.placeholders
        known.name = uplink.name
        for subscription in uplink.subscriptions {
            do throws(Placeholders.Unknown) {
                let pair = (try known.expand(route.filter), try known.expand(subscription.filter))
                guard Topics.overlap(pair.0, pair.1) else { continue }
                findings.report(
                    "\"\(route.filter)\" and the subscription \"\(subscription.filter)\" of this uplink have topics in "
                        + "common; with protocol 4 and mode \"each\" these messages would go round",
                    path: "\(path).filter")
            } catch {
                // Reported by the check of placeholders.
                continue
            }
        }
    }
}
