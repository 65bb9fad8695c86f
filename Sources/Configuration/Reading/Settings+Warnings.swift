extension Settings {
    /// What is allowed and yet worth a word at `roostd --check` and at the start.
    public var warnings: [String] {
        var warnings = uplinks.flatMap { uplink in uplink.warnings.map { "uplink \(uplink.name): \($0)" } }
        for listener in listeners where listener.anonymous == .always && !listener.bind.isLoopback {
            let address = listener.bind.description
            warnings.append("listener \(address): anyone who reaches it may connect (anonymous = \"always\")")
        }
        if store.durability == .relaxed {
            let time = store.commit.shown
            warnings.append("store.durability is relaxed: a power cut loses what was acknowledged in the last \(time)")
        }
        return strangers + warnings
    }
}

extension UplinkSettings {
    fileprivate var warnings: [String] {
        var warnings: [String] = []
        if `protocol` == .v4, routes.contains(where: { $0.mode == .batch }) {
            // Only MQTT 5 answers 0x10, No matching subscribers.
            warnings.append("protocol 4 cannot tell whether anybody receives the batches: see that a receiver is there")
        }
        if routes.isEmpty, subscriptions.isEmpty, !twin {
            warnings.append("neither routes nor subscriptions, so nothing is carried")
        }
        for (name, rate) in [("egress_rate", egressBitsPerSecond), ("ingress_rate", ingressBitsPerSecond)]
        where rate > 0 && rate < 1000 {
            warnings.append("\(name) is \(rate) bits a second: one message takes minutes")
        }
        let plain = urls.filter { !$0.usesTLS }
        if tls != UplinkTLSSettings(), plain.count == urls.count {
            warnings.append("tls is not used, no url is mqtts or wss")
        }
        if !passwordFile.isEmpty, let url = plain.first(where: { !$0.isLoopback }) {
            warnings.append("the password goes to \(url.description) in the clear")
        }
        return warnings
    }
}

extension Duration {
    /// As the configuration writes it: "250ms".
    public var shown: String { Quantity.shownNanoseconds(wholeNanoseconds) }
}
