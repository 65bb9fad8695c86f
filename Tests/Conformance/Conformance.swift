import Testing

/// Every numbered normative statement of MQTT 5 that a Server can be held to, against a running roostd over TCP: bytes in,
/// packets or a close out. Each test is named by its statement; `docs/conformance.md` lists all, with those that have none.
///
/// Environment: `ROOSTD` names another binary than the one built with the tests.
@Suite("MQTT 5") struct V5 {
    func play(_ script: String, on server: Server = .plain) throws { try Conformance.play(.v5, script, on: server) }

    /// Each of these packets, from a client that is connected, is answered with DISCONNECT and its Reason Code.
    func refuses(_ reason: String, on server: Server = .plain, _ packets: String...) throws {
        for packet in packets {
            try play(
                """
                A connect
                A > \(packet)
                A < E0[\(reason) ...]
                A closed
                """, on: server)
        }
    }

    /// Each of these CONNECTs is answered with CONNACK and its Reason Code.
    func rejects(_ reason: String, on server: Server = .plain, _ packets: String...) throws {
        for packet in packets {
            try play(
                """
                A open
                A > \(packet)
                A < 20[00 \(reason) ...]
                A closed
                """, on: server)
        }
    }
}

/// The same for MQTT 3.1.1.
@Suite("MQTT 3.1.1") struct V311 {
    func play(_ script: String, on server: Server = .plain) throws { try Conformance.play(.v311, script, on: server) }

    /// After each of these packets, from a client that is connected, the connection is closed.
    func refuses(on server: Server = .plain, _ packets: String...) throws {
        for packet in packets {
            try play(
                """
                A connect
                A > \(packet)
                A closed
                """, on: server)
        }
    }

    /// Each of these CONNECTs is answered with CONNACK and its return code; nil: with a close.
    func rejects(_ code: String?, on server: Server = .plain, _ packets: String...) throws {
        for packet in packets {
            try play(
                """
                A open
                A > \(packet)
                \(code.map { "A < 20[00 \($0)]" } ?? "// no answer")
                A closed
                """, on: server)
        }
    }
}
