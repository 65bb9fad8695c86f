import Testing

/// CONNECT and CONNACK, §3.1 and §3.2.
extension V311 {
    @Test func `MQTT-3.1.0-1`() throws {
        for packet in ["C000", "30[{a} 'x']", "E000", "82[0001 {a} 00]", "40[0001]", "20[00 00]"] {
            try play("A open\nA > \(packet)\nA closed")
        }
    }
    @Test func `MQTT-3.1.0-2`() throws { try refuses("10[{MQTT} 04 02 0000 {%A}]") }
    @Test func `MQTT-3.1.2-1`() throws { try rejects(nil, "10[{MQTX} 04 02 0000 {%A}]", "10[{mqtt} 04 02 0000 {%A}]") }
    @Test func `MQTT-3.1.2-2`() throws {
        try rejects("01", "10[{MQTT} 01 02 0000 {%A}]", "10[{MQTT} 06 02 0000 {%A}]", "10[{MQTT} 84 02 0000 {%A}]")
    }
    @Test func `MQTT-3.1.2-3`() throws { try rejects(nil, "10[{MQTT} 04 03 0000 {%A}]") }
    @Test func `MQTT-3.1.2-4`() throws { try play(Shared.sessionIsResumed) }
    @Test func `MQTT-3.1.2-5`() throws { try play(Shared.addedToEverySession) }
    @Test func `MQTT-3.1.2-6`() throws { try play(Shared.sessionIsDiscarded) }
    @Test func `MQTT-3.1.2-7`() throws {
        try play(
            """
            A connect
            A > 33[{%/a} 0001 'kept']
            A < 40[0001]
            A > E000
            A closed
            A connect
            A > 82[0001 {%/a} 00]
            A < 90[0001 00]
            A < 31[{%/a} 'kept']
            """)
    }
    @Test func `MQTT-3.1.2-8`() throws {
        try play(Shared.willAfterCut)
        // After a protocol violation, and after Keep Alive has run out.
        for end in ["A > C1 00\nA closed", "A closed"] {
            try play(
                """
                B connect
                B > 82[0001 {%/will} 00]
                B < 90[0001 00]
                A open
                A > 10[{MQTT} 04 06 0001 {%A} {%/will} {gone}]
                A < 20[00 00]
                \(end)
                B < 30[{%/will} 'gone']
                """)
        }
    }
    @Test func `MQTT-3.1.2-9`() throws {
        try rejects(nil, "10[{MQTT} 04 06 0000 {%A}]", "10[{MQTT} 04 06 0000 {%A} {%/w}]")
    }
    @Test func `MQTT-3.1.2-10`() throws {
        try play(Shared.willAfterDisconnect)
        try play(Shared.willIsPublishedOnce)
    }
    @Test func `MQTT-3.1.2-11`() throws {
        try rejects(nil, "10[{MQTT} 04 2A 0000 {%A}]", "10[{MQTT} 04 02 0000 {%A} {%/w} {x}]")
    }
    @Test func `MQTT-3.1.2-12`() throws {
        try play(
            """
            B connect
            B > 82[0001 {%/#} 00]
            B < 90[0001 00]
            A open
            A > 10[{MQTT} 04 06 0000 {%A} {%/will} {gone}]
            A < 20[00 00]
            A > E000
            A closed
            A connect
            A cut
            A connect
            A > 30[{%/mark} 'x']
            B < 30[{%/mark} 'x']
            """)
    }
    @Test func `MQTT-3.1.2-13`() throws { try rejects(nil, "10[{MQTT} 04 0A 0000 {%A}]", "10[{MQTT} 04 12 0000 {%A}]") }
    @Test func `MQTT-3.1.2-14`() throws { try rejects(nil, "10[{MQTT} 04 1E 0000 {%A} {%/w} {x}]") }
    @Test func `MQTT-3.1.2-15`() throws { try rejects(nil, "10[{MQTT} 04 22 0000 {%A}]") }
    @Test func `MQTT-3.1.2-16`() throws { try play(Shared.willNotRetained) }
    @Test func `MQTT-3.1.2-17`() throws { try play(Shared.willRetained) }
    @Test func `MQTT-3.1.2-18`() throws { try rejects(nil, "10[{MQTT} 04 02 0000 {%A} {user}]") }
    @Test func `MQTT-3.1.2-19`() throws { try rejects(nil, "10[{MQTT} 04 82 0000 {%A}]") }
    @Test func `MQTT-3.1.2-20`() throws { try rejects(nil, "10[{MQTT} 04 82 0000 {%A} {user} {word}]") }
    @Test func `MQTT-3.1.2-21`() throws { try rejects(nil, "10[{MQTT} 04 C2 0000 {%A} {user}]") }
    @Test func `MQTT-3.1.2-22`() throws { try rejects(nil, "10[{MQTT} 04 42 0000 {%A} {word}]") }
    @Test func `MQTT-3.1.2-24`() throws { try play(Shared.keepAlive) }
    @Test func `MQTT-3.1.3-1`() throws { try play(Shared.payloadInOrder) }
    @Test func `MQTT-3.1.3-2`() throws { try play(Shared.identifierNamesTheSession) }
    @Test func `MQTT-3.1.3-3`() throws { try rejects(nil, "10[{MQTT} 04 02 0000]") }
    @Test func `MQTT-3.1.3-4`() throws { try rejects(nil, "10[{MQTT} 04 02 0000 0001 80]") }
    @Test func `MQTT-3.1.3-5`() throws { try play(Shared.allowedIdentifiers) }
    @Test func `MQTT-3.1.3-6`() throws {
        try play(
            """
            A open
            A > 10[{MQTT} 04 02 0000 {}]
            A < 20[00 00]
            B open
            B > 10[{MQTT} 04 02 0000 {}]
            B < 20[00 00]
            A > 82[0001 {%/a} 00]
            A < 90[0001 00]
            B > 30[{%/a} 'x']
            A < 30[{%/a} 'x']
            """)
    }
    @Test func `MQTT-3.1.3-8`() throws { try rejects("02", "10[{MQTT} 04 00 0000 {}]") }
    @Test func `MQTT-3.1.3-9`() throws { try rejects("02", on: .modest, "10[{MQTT} 04 02 0000 {}]") }
    @Test func `MQTT-3.1.3-10`() throws { try rejects(nil, "10[{MQTT} 04 06 0000 {%A} 0001 ff {x}]") }
    @Test func `MQTT-3.1.3-11`() throws { try rejects(nil, "10[{MQTT} 04 82 0000 {%A} 0001 ff]") }
    @Test func `MQTT-3.1.4-1`() throws { try rejects(nil, "10[{MQTT} 04 02 0000 {%A} 00]", "10[{MQTT} 04 02 00]") }
    @Test func `MQTT-3.1.4-2`() throws { try play(Shared.taken) }
    @Test func `MQTT-3.1.4-3`() throws { try play(Shared.sessionIsDiscarded) }
    @Test func `MQTT-3.1.4-4`() throws { try play("A connect\nB persistent\nA ping\nB ping") }
    @Test func `MQTT-3.1.4-5`() throws {
        try play(
            "A open\nA > 10[{MQTT} 04 02 0000 {%A}] 82[0001 {%/a} 00] C000\nA < 20[00 05]\nA closed", on: .closed)
        try play("A open\nA > 10[{MQTT} 04 00 0000 {}] 31[{%/a} 'x'] C000\nA < 20[00 02]\nA closed")
    }
    @Test func `MQTT-3.2.0-1`() throws { try play(Shared.connackIsFirst) }
    @Test func `MQTT-3.2.2-1`() throws { try play(Shared.sessionIsDiscarded) }
    @Test func `MQTT-3.2.2-2`() throws { try play("A persistent\nA cut\nA resume") }
    @Test func `MQTT-3.2.2-3`() throws { try play("A persistent\nA cut\nA connect\nA cut\nA persistent") }
    @Test func `MQTT-3.2.2-4`() throws {
        try rejects("05", on: .closed, "10[{MQTT} 04 00 0000 {%A}]")
        try rejects("02", "10[{MQTT} 04 00 0000 {}]")
    }
    @Test func `MQTT-3.2.2-5`() throws { try rejects("01", "10[{MQTT} 06 02 0000 {%A}]") }
    @Test func `MQTT-3.2.2-6`() throws {
        // Will QoS 2 where there is none, and a retained Will.
        try rejects(nil, on: .modest, "10[{MQTT} 04 16 0000 {%A} {w} {x}]", "10[{MQTT} 04 26 0000 {%A} {w} {x}]")
    }
}
