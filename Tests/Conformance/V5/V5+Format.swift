import Testing

/// Chapters 1 and 2: the data's representation, and the packets' format.
extension V5 {
    @Test func `MQTT-1.5.4-1`() throws {
        try refuses(
            "81", "30[0003 eda080 <> 'x']", "30[0001 ff <> 'x']", "82[0001 <> 0002 c0af 00]", "A2[0001 <> 0001 fe]",
            "30[{%/a} <03 0001 ff> 'x']", "30[{%/a} <08 0001 ff> 'x']")
        try rejects("81", "10[{MQTT} 05 02 0000 <> 0003 edbfbf]")
    }
    @Test func `MQTT-1.5.4-2`() throws {
        try refuses("81", "30[{a\\00b} <> 'x']", "82[0001 <> {a\\00b} 00]", "A2[0001 <> {a\\00b}]")
        try rejects("81", "10[{MQTT} 05 02 0000 <> {a\\00b}]")
    }
    @Test func `MQTT-1.5.4-3`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/\\ef\\bb\\bf} 00 {%/} 00]
            A < 90[0001 <> 00 00]
            A > 30[{%/\\ef\\bb\\bf} <> {\\ef\\bb\\bfx}]
            A < 30[{%/\\ef\\bb\\bf} <> {\\ef\\bb\\bfx}]
            A ping
            """)
    }
    @Test func `MQTT-1.5.5-1`() throws {
        try refuses("81", "C0 8000", "30 8900 {a/b} 00 'xyz'", "30 09 {a/b} 8000 'xy'", "30 8080808001")
    }
    @Test func `MQTT-1.5.7-1`() throws {
        try refuses(
            "81", "30[{a} <26 0001 ff {b}> 'x']", "30[{a} <26 {a} 0001 ff> 'x']", "30[{a} <26 {a\\00} {b}> 'x']")
    }
    @Test func `MQTT-2.1.3-1`() throws {
        try refuses(
            "81", "C1 00", "41[0001]", "51[0001]", "60[0001]", "71[0001]", "80[0001 <> {a} 00]", "A0[0001 <> {a}]",
            "E1 00")
        try play("A open\nA > 11[{MQTT} 05 02 0000 <> {%A}]\nA closed")
    }
    @Test func `MQTT-2.2.1-2`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/a} 02]
            A < 90[0001 <> 02]
            A > 30[{%/a} <> 'x']
            A < 30[{%/a} <> 'x']
            """)
    }
    @Test func `MQTT-2.2.1-3`() throws {
        try refuses(
            "82", "32[{%/a} 0000 <> 'x']", "34[{%/a} 0000 <> 'x']", "82[0000 <> {%/a} 00]", "A2[0000 <> {%/a}]")
    }
    @Test func `MQTT-2.2.1-4`() throws { try play(Shared.unusedIdentifiers) }
    @Test func `MQTT-2.2.1-5`() throws { try play(Shared.identifiersOfAcknowledgements) }
    @Test func `MQTT-2.2.1-6`() throws { try play(Shared.identifiersOfSubscriptions) }
    @Test func `MQTT-2.2.2-1`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/a} 00]
            A < 90[0001 00 00]
            A > 30[{%/a} 00 'x']
            A < 30[{%/a} 00 'x']
            A > A2[0002 00 {%/a}]
            A < B0[0002 00 00]
            """)
    }
}
