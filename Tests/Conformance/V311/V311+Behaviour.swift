import Testing

/// Chapter 4: sessions, delivery, topics and errors; and chapter 7.
extension V311 {
    @Test func `MQTT-4.1.0-1`() throws { try play(Shared.addedToEverySession) }
    @Test func `MQTT-4.1.0-2`() throws { try play(Shared.inOrder) }
    @Test func `MQTT-4.3.1-1`() throws {
        try play(
            """
            A connect
            A > 82[0001 {%/a} 00]
            A < 90[0001 00]
            A > 30[{%/a} '0'] 34[{%/a} 0001 '2']
            A < 30[{%/a} '0']
            A < 30[{%/a} '2'] & 50[0001]
            """)
    }
    @Test func `MQTT-4.3.2-1`() throws {
        try play(Shared.unusedIdentifiers)
        try play(Shared.resentWithDUP)
    }
    @Test func `MQTT-4.3.2-2`() throws { try play(Shared.atLeastOnceIn) }
    @Test func `MQTT-4.3.3-1`() throws { try play(Shared.exactlyOnceIsResumed) }
    @Test func `MQTT-4.3.3-2`() throws { try play(Shared.exactlyOnceIn) }
    @Test func `MQTT-4.4.0-1`() throws {
        try play(Shared.resentWithDUP)
        try play(Shared.exactlyOnceIsResumed)
    }
    @Test func `MQTT-4.5.0-1`() throws { try play(Shared.addedToEverySession) }
    @Test func `MQTT-4.6.0-5`() throws { try play(Shared.inOrder) }
    @Test func `MQTT-4.6.0-6`() throws { try play(Shared.inOrder) }
    @Test func `MQTT-4.7.1-1`() throws { try refuses("30[{%/+/a} 'x']", "30[{#} 'x']", "30[{a#b} 'x']") }
    @Test func `MQTT-4.7.1-2`() throws {
        try play("A connect\nA > 82[0001 {%/#} 00 {#} 00]\nA < 90[0001 00 00]")
        try refuses("82[0001 {#/a} 00]", "82[0001 {%/#/a} 00]", "82[0001 {%/a#} 00]", "82[0001 {##} 00]")
    }
    @Test func `MQTT-4.7.1-3`() throws {
        try play(
            """
            A connect
            A > 82[0001 {%/+/a} 00 {+/%/+} 00]
            A < 90[0001 00 00]
            A > 30[{%/x/a} '1'] 30[{%//a} '2'] 30[{/%/} '3'] 30[{%/a} '4']
            A < 30[{%/x/a} '1']
            A < 30[{%//a} '2']
            A < 30[{/%/} '3']
            A ping
            """)
        try refuses("82[0001 {+%} 00]", "82[0001 {%+} 00]", "82[0001 {%/++/a} 00]")
    }
    @Test func `MQTT-4.7.2-1`() throws {
        try play(
            """
            A connect
            A > 82[0001 {+/broker/version} 00]
            A < 90[0001 00]
            A ping
            A > 82[0002 {$SYS/broker/version} 00]
            A < 90[0002 00]
            A < 31[{$SYS/broker/version} ...]
            """)
    }
    @Test func `MQTT-4.7.3-1`() throws { try refuses("82[0001 {} 00]", "A2[0001 {}]", "30[{} 'x']") }
    @Test func `MQTT-4.7.3-2`() throws { try refuses("30[{%/\\00} 'x']", "82[0001 {%/\\00} 00]") }
    @Test func `MQTT-4.7.3-3`() throws { try play(Shared.longestNames) }
    @Test func `MQTT-4.7.3-4`() throws { try play(Shared.names) }
    @Test func `MQTT-4.8.0-1`() throws {
        try refuses(
            "90[0001 00]", "D000", "20[00 00]", "B0[0001]", "F000", "00 00", "C0[00]", "E0[00]", "32[{%/a} 00]",
            "82[0001 {%/a}]", "40[00]", "62[0001 00]", "30 ffffffff7f")
    }
    @Test func `MQTT-4.8.0-2`() throws { try refuses(on: .modest, "30[{%/a} 'x'*1100]", "34[{%/a} 0001 'x']") }
    @Test func `MQTT-7.1.1-1`() throws { try play("A connect\nA ping") }
}
