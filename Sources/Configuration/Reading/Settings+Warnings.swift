extension Settings {
    /// What is allowed and yet worth a word at `roostd --check` and at the start.
    public var warnings: [String] {
        var warnings: [String] = []
        for uplink in uplinks {
            if uplink.protocol == .v4, uplink.routes.contains(where: { $0.mode == .batch }) {
                warnings.append(
                    "uplink \(uplink.name): protocol 4 cannot tell whether anybody receives the batches; see to it that a "
                        + "receiver is subscribed")
            }
            if uplink.routes.isEmpty, uplink.subscriptions.isEmpty, !uplink.twin {
                warnings.append("uplink \(uplink.name): neither routes nor subscriptions, so nothing is carried")
            }
        }
        for uplink in uplinks {
            let plain = uplink.urls.filter { !$0.usesTLS }
            if !uplink.tls.certificate.isEmpty, plain.count == uplink.urls.count {
                warnings.append("uplink \(uplink.name): tls.certificate is not used, no url is mqtts or wss")
            }
            if !uplink.passwordFile.isEmpty, let url = plain.first(where: { !$0.isLoopback }) {
                warnings.append("uplink \(uplink.name): the password goes to \(url.description) in the clear")
            }
        }
        for listener in listeners where listener.anonymous == .always && !listener.bind.isLoopback {
            warnings.append(
                "listener \(listener.bind.description): anyone who reaches it may connect (anonymous = \"always\")")
        }
        if store.durability == .relaxed {
            warnings.append(
                "store.durability is relaxed: what was acknowledged in the last \(store.commit.shown) may be lost with the power"
            )
        }
        return warnings
    }
}

extension Duration {
    /// As the configuration writes it: "250ms".
    public var shown: String { Quantity.shownNanoseconds(wholeNanoseconds) }
}
