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
