import Testing

/// Chapters 1 and 2: the data's representation, and the packets' format.
extension V311 {
    @Test func `MQTT-1.5.3-1`() throws {
        try refuses("30[0003 eda080 'x']", "30[0001 ff 'x']", "82[0001 0002 c0af 00]", "A2[0001 0001 fe]")
        try rejects(nil, "10[{MQTT} 04 02 0000 0003 edbfbf]")
    }
    @Test func `MQTT-1.5.3-2`() throws {
        try refuses("30[{a\\00b} 'x']", "82[0001 {a\\00b} 00]", "A2[0001 {a\\00b}]")
        try rejects(nil, "10[{MQTT} 04 02 0000 {a\\00b}]")
    }
    @Test func `MQTT-1.5.3-3`() throws {
        try play(
            """
            A connect
            A > 82[0001 {%/\\ef\\bb\\bf} 00 {%/} 00]
            A < 90[0001 00 00]
            A > 30[{%/\\ef\\bb\\bf} 'x']
            A < 30[{%/\\ef\\bb\\bf} 'x']
            A ping
            """)
    }
    @Test func `MQTT-2.2.2-1`() throws { try play(Shared.identifiersOfAcknowledgements) }
    @Test func `MQTT-2.2.2-2`() throws {
        try refuses(
            "C1 00", "41[0001]", "51[0001]", "60[0001]", "71[0001]", "80[0001 {a} 00]", "A0[0001 {a}]", "E1 00")
        try play("A open\nA > 11[{MQTT} 04 02 0000 {%A}]\nA closed")
    }
    @Test func `MQTT-2.3.1-1`() throws {
        try refuses("32[{%/a} 0000 'x']", "34[{%/a} 0000 'x']", "82[0000 {%/a} 00]", "A2[0000 {%/a}]")
    }
    @Test func `MQTT-2.3.1-4`() throws {
        try play(Shared.unusedIdentifiers)
        try play(Shared.resentWithDUP)
    }
    @Test func `MQTT-2.3.1-5`() throws {
        try play(
            """
            A connect
            A > 82[0001 {%/a} 02]
            A < 90[0001 02]
            A > 30[{%/a} 'x']
            A < 30[{%/a} 'x']
            """)
    }
    @Test func `MQTT-2.3.1-6`() throws { try play(Shared.identifiersOfAcknowledgements) }
    @Test func `MQTT-2.3.1-7`() throws { try play(Shared.identifiersOfSubscriptions) }
}
