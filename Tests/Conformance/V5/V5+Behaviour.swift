import Testing

/// Chapter 4: sessions, delivery, topics, flow control and errors.
extension V5 {
    @Test func `MQTT-4.1.0-1`() throws {
        // A session that ends with its connection lasts as long as that.
        try play(
            """
            A open
            A > 10[{MQTT} 05 02 0000 <11 00000001> {%A}]
            A < 20[00 00 ...]
            A > 82[0001 <> {%/a} 01]
            A < 90[0001 <> 01]
            wait 1200
            A > 32[{%/a} 0001 <> 'x']
            A < 40[0001] & 32[{%/a} 0001 <> 'x']
            """)
    }
    @Test func `MQTT-4.1.0-2`() throws {
        try play(
            """
            A open
            A > 10[{MQTT} 05 00 0000 <11 00000001> {%A}]
            A < 20[00 00 ...]
            A > 82[0001 <> {%/a} 01]
            A < 90[0001 <> 01]
            A > E000
            A closed
            wait 2000
            A persistent
            A > 32[{%/a} 0001 <> 'x']
            A < 40[0001 10]
            """)
    }
    @Test func `MQTT-4.2.0-1`() throws { try play("A connect\nA ping") }
    @Test func `MQTT-4.3.1-1`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/a} 00]
            A < 90[0001 <> 00]
            A > 30[{%/a} <> '0'] 34[{%/a} 0001 <> '2']
            A < 30[{%/a} <> '0']
            A < 30[{%/a} <> '2'] & 50[0001]
            """)
    }
    @Test func `MQTT-4.3.2-1`() throws { try play(Shared.unusedIdentifiers) }
    @Test func `MQTT-4.3.2-2`() throws { try play(Shared.unusedIdentifiers) }
    @Test func `MQTT-4.3.2-3`() throws { try play(Shared.resentWithDUP) }
    @Test func `MQTT-4.3.2-4`() throws { try play(Shared.atLeastOnceIn) }
    @Test func `MQTT-4.3.2-5`() throws { try play(Shared.atLeastOnceIn) }
    @Test func `MQTT-4.3.3-1`() throws { try play(Shared.unusedIdentifiers) }
    @Test func `MQTT-4.3.3-2`() throws { try play(Shared.exactlyOnceIsResumed) }
    @Test func `MQTT-4.3.3-3`() throws { try play(Shared.exactlyOnceIsResumed) }
    @Test func `MQTT-4.3.3-4`() throws {
        try play(Shared.exactlyOnceIsResumed)
        // No PUBREL for a PUBREC that refuses.
        try play(
            """
            A connect
            A > 82[0001 <> {%/a} 02]
            A < 90[0001 <> 02]
            A > 34[{%/a} 0001 <> 'x']
            A < 50[0001] & 34[{%/a} 0001 <> 'x']
            A > 50[0001 80]
            A ping
            """)
    }
    @Test func `MQTT-4.3.3-5`() throws { try play(Shared.exactlyOnceIsResumed) }
    @Test func `MQTT-4.3.3-6`() throws { try play(Shared.exactlyOnceIsResumed) }
    @Test func `MQTT-4.3.3-7`() throws {
        try play(
            """
            A persistent
            A > 82[0001 <> {%/a} 02]
            A < 90[0001 <> 02]
            B connect
            B > 34[{%/a} 0001 <02 00000005> 'x']
            A < 34[{%/a} 0001 <02 000000 ..> 'x']
            A cut
            wait 5100
            A resume
            A < 3C[{%/a} 0001 ...]
            A > 50[0001]
            A < 62[0001]
            """)
    }
    @Test func `MQTT-4.3.3-8`() throws { try play(Shared.exactlyOnceIn) }
    @Test func `MQTT-4.3.3-9`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/a} 00]
            A < 90[0001 <> 00]
            A > 34[{$SYS/a} 0001 <> 'x']
            A < 50[0001 87]
            A > 34[{%/a} 0001 <> 'y']
            A < 50[0001] & 30[{%/a} <> 'y']
            """)
    }
    @Test func `MQTT-4.3.3-10`() throws { try play(Shared.exactlyOnceIn) }
    @Test func `MQTT-4.3.3-11`() throws { try play(Shared.identifiersOfAcknowledgements) }
    @Test func `MQTT-4.3.3-12`() throws { try play(Shared.exactlyOnceIn) }
    @Test func `MQTT-4.3.3-13`() throws {
        try play(
            """
            A connect
            A > 34[{%/a} 0001 <02 00000001> 'x']
            A < 50[0001 10]
            wait 1100
            A > 3C[{%/a} 0001 <02 00000001> 'x']
            A < 50[0001]
            A > 62[0001]
            A < 70[0001]
            """)
    }
    @Test func `MQTT-4.4.0-1`() throws {
        try play(Shared.resentWithDUP)
        try play(Shared.exactlyOnceIsResumed)
    }
    @Test func `MQTT-4.4.0-2`() throws {
        try play(
            """
            A persistent
            A > 82[0001 <> {%/a} 02]
            A < 90[0001 <> 02]
            B connect
            B > 32[{%/a} 0001 <> '1'] 34[{%/a} 0002 <> '2']
            A < 32[{%/a} 0001 <> '1'] & 34[{%/a} 0002 <> '2']
            A > 40[0001 97] 50[0002 80]
            A ping
            A cut
            A resume
            A ping
            """)
    }
    @Test func `MQTT-4.5.0-1`() throws { try play(Shared.addedToEverySession) }
    @Test func `MQTT-4.6.0-5`() throws { try play(Shared.inOrder) }
    @Test func `MQTT-4.6.0-6`() throws { try play(Shared.inOrder) }
    @Test func `MQTT-4.7.0-1`() throws { try refuses("81", "30[{%/+/a} <> 'x']", "30[{#} <> 'x']", "30[{a#b} <> 'x']") }
    @Test func `MQTT-4.7.1-1`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/#} 00 {#} 00]
            A < 90[0001 <> 00 00]
            """)
        try refuses(
            "81", "82[0001 <> {#/a} 00]", "82[0001 <> {%/#/a} 00]", "82[0001 <> {%/a#} 00]", "82[0001 <> {##} 00]")
    }
    @Test func `MQTT-4.7.1-2`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/+/a} 00 {+/%/+} 00]
            A < 90[0001 <> 00 00]
            A > 30[{%/x/a} <> '1'] 30[{%//a} <> '2'] 30[{/%/} <> '3'] 30[{%/a} <> '4']
            A < 30[{%/x/a} <> '1']
            A < 30[{%//a} <> '2']
            A < 30[{/%/} <> '3']
            A ping
            """)
        try refuses("81", "82[0001 <> {+%} 00]", "82[0001 <> {%+} 00]", "82[0001 <> {%/++/a} 00]")
    }
    @Test func `MQTT-4.7.2-1`() throws {
        // $SYS has retained messages in any case: they come to who asks by name.
        try play(
            """
            A connect
            A > 82[0001 <> {+/broker/version} 00]
            A < 90[0001 <> 00]
            A ping
            A > 82[0002 <> {$SYS/broker/version} 00]
            A < 90[0002 <> 00]
            A < 31[{$SYS/broker/version} ...]
            """)
    }
    @Test func `MQTT-4.7.3-1`() throws {
        try refuses("81", "82[0001 <> {} 00]", "A2[0001 <> {}]")
        try refuses("82", "30[{} <> 'x']")
    }
    @Test func `MQTT-4.7.3-2`() throws { try refuses("81", "30[{%/\\00} <> 'x']", "82[0001 <> {%/\\00} 00]") }
    @Test func `MQTT-4.7.3-3`() throws { try play(Shared.longestNames) }
    @Test func `MQTT-4.7.3-4`() throws { try play(Shared.names) }
    @Test func `MQTT-4.9.0-1`() throws { try play(Self.receiveMaximum) }
    @Test func `MQTT-4.9.0-2`() throws { try play(Self.receiveMaximum) }
    @Test func `MQTT-4.9.0-3`() throws { try play(Self.receiveMaximum) }
    @Test func `MQTT-4.12.0-1`() throws { try rejects("8c", "10[{MQTT} 05 02 0000 <15 {SCRAM-SHA-1}> {%A}]") }
    @Test func `MQTT-4.12.0-6`() throws { try refuses("82", "F000", "F0[18 <15 {x}>]", "F0[19 <15 {x}>]") }
    @Test func `MQTT-4.13.1-1`() throws {
        try refuses("82", "90[0001 <> 00]", "D000", "20[00 00 <>]", "B0[0001 <> 00]", "82[0001 <0b 00> {%/a} 00]")
        try refuses("81", "C0[00]", "00 00", "32[{%/a} 00]", "82[0001 <> {%/a}]", "40[00]", "62[0001 00 <> 00]")
    }
    @Test func `MQTT-4.13.2-1`() throws {
        try refuses("95", on: .modest, "30[{%/a} <> 'x'*1100]")
        try rejects("8c", "10[{MQTT} 05 02 0000 <15 {none}> {%A}]")
    }
}
