import Testing

/// SUBSCRIBE to AUTH, §3.8 to §3.15.
extension V5 {
    @Test func `MQTT-3.8.1-1`() throws {
        try refuses(
            "81", "80[0001 <> {%/a} 00]", "81[0001 <> {%/a} 00]", "83[0001 <> {%/a} 00]", "8A[0001 <> {%/a} 00]")
    }
    @Test func `MQTT-3.8.3-1`() throws { try refuses("81", "82[0001 <> 0001 ff 00]", "82[0001 <> {a\\00} 00]") }
    @Test func `MQTT-3.8.3-2`() throws { try refuses("82", "82[0001 <>]") }
    @Test func `MQTT-3.8.3-3`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/a} 05 {%/b} 01]
            A < 90[0001 <> 01 01]
            B connect
            B > 82[0001 <> {%/a} 05]
            B < 90[0001 <> 01]
            A > 32[{%/a} 0001 <> '1'] 32[{%/b} 0002 <> '2']
            B < 32[{%/a} 0001 <> '1']
            A < 40[0001] & 40[0002] & 32[{%/b} 0001 <> '2']
            A ping
            B > 30[{%/a} <> '3']
            A < 30[{%/a} <> '3']
            B ping
            """)
    }
    @Test func `MQTT-3.8.3-5`() throws {
        try refuses("81", "82[0001 <> {%/a} 40]", "82[0001 <> {%/a} 80]")
        try refuses("82", "82[0001 <> {%/a} 03]", "82[0001 <> {%/a} 30]")
    }
    @Test func `MQTT-3.8.4-1`() throws { try play(Shared.subscribing) }
    @Test func `MQTT-3.8.4-2`() throws { try play(Shared.subscribing) }
    @Test func `MQTT-3.8.4-3`() throws {
        try play(Shared.replacing)
        try play(
            """
            A connect
            A > 82[0001 <0b 05> {%/a} 04] 82[0002 <0b 06> {%/a} 08] 82[0003 <> {%/a} 08]
            A < 90[0001 <> 00]
            A < 90[0002 <> 00]
            A < 90[0003 <> 00]
            A > 31[{%/a} <> 'x']
            A < 31[{%/a} <> 'x']
            A ping
            """)
    }
    @Test func `MQTT-3.8.4-4`() throws {
        try play(Shared.replacing)
        // What waits for the session waits on.
        try play(
            """
            A persistent
            A > 82[0001 <> {%/a} 01]
            A < 90[0001 <> 01]
            B connect
            B > 32[{%/a} 0001 <> '1']
            A < 32[{%/a} 0001 <> '1']
            A > 82[0002 <> {%/a} 00]
            A < 90[0002 <> 00]
            A cut
            A resume
            A < 3A[{%/a} 0001 <> '1']
            """)
    }
    @Test func `MQTT-3.8.4-5`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/a} 02 {%/b} 01 {%/a} 00 {$share/g/%} 00 {%/c/#} 02]
            A < 90[0001 <> 02 01 00 00 02]
            A > 34[{%/a} 0001 <> 'x']
            A < 50[0001] & 30[{%/a} <> 'x']
            A ping
            """)
    }
    @Test func `MQTT-3.8.4-6`() throws { try play(Shared.subscribing) }
    @Test func `MQTT-3.8.4-7`() throws {
        try play(
            "A connect\nA > 82[0001 <> 0021 '/'*33 00 {%/a} 01]\nA < 90[0001 <> 8f 01]\nA ping")
    }
    @Test func `MQTT-3.8.4-8`() throws { try play(Shared.lowerOfTheQoS) }
    @Test func `MQTT-3.9.3-1`() throws { try play(Shared.subscribing) }
    @Test func `MQTT-3.9.3-2`() throws {
        try play("A connect\nA > 82[0001 <> {%/2} 02 0021 '/'*33 00 {%/0} 00 {%/1} 01]\nA < 90[0001 <> 02 8f 00 01]")
    }
    @Test func `MQTT-3.10.1-1`() throws {
        try refuses("81", "A0[0001 <> {%/a}]", "A1[0001 <> {%/a}]", "A3[0001 <> {%/a}]", "AA[0001 <> {%/a}]")
    }
    @Test func `MQTT-3.10.3-1`() throws { try refuses("81", "A2[0001 <> 0001 ff]", "A2[0001 <> {a\\00}]") }
    @Test func `MQTT-3.10.3-2`() throws { try refuses("82", "A2[0001 <>]") }
    @Test func `MQTT-3.10.4-1`() throws { try play(Shared.unsubscribing) }
    @Test func `MQTT-3.10.4-2`() throws { try play(Shared.unsubscribing) }
    @Test func `MQTT-3.10.4-3`() throws { try play(Shared.unsubscribingCompletes) }
    @Test func `MQTT-3.10.4-4`() throws { try play(Shared.unsubscribing) }
    @Test func `MQTT-3.10.4-5`() throws { try play(Shared.unsubscribingNothing) }
    @Test func `MQTT-3.10.4-6`() throws { try play(Shared.unsubscribing) }
    @Test func `MQTT-3.11.3-1`() throws { try play(Shared.unsubscribing) }
    @Test func `MQTT-3.11.3-2`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/a} 00]
            A < 90[0001 <> 00]
            A > A2[0002 <> {%/b} {%/a} {%/a}]
            A < B0[0002 <> 11 00 11]
            """)
    }
    @Test func `MQTT-3.12.4-1`() throws { try play("A connect\nA > C000 C000\nA < D000\nA < D000\nA ping") }
    @Test func `MQTT-3.14.0-1`() throws {
        for packet in ["C000", "30[{a} 00 'x']", "FF00"] { try play("A open\nA > \(packet)\nA closed") }
        try rejects("82", "10[{MQTT} 05 02 0000 <21 0000> {%A}]")
    }
    @Test func `MQTT-3.14.1-1`() throws { try refuses("81", "E1 00", "E2[00 <>]", "E8 00") }
    @Test func `MQTT-3.14.2-1`() throws {
        try refuses("82", "E0[01]", "E0[8e]", "E0[10]")
        for reason in ["E000", "E0[00]", "E0[04]", "E0[80]", "E0[82]", "E0[93]", "E0[00 <1f {bye}>]"] {
            try play("A connect\nA > \(reason)\nA closed")
        }
    }
    @Test func `MQTT-3.14.2-2`() throws {
        // A Session Expiry Interval comes from the Client alone, and not where CONNECT gave none.
        try refuses("82", "E0[00 <11 00000010>]")
        try play(
            """
            A persistent
            A > E0[00 <11 00000000>]
            A closed
            A persistent
            """)
        try play("A connect\nB open\nB > 10[{MQTT} 05 02 0000 <> {%A}]\nB < 20[00 00 ...]\nA < E0[8e]\nA closed")
    }
    @Test func `MQTT-3.14.4-1`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/#} 00]
            A < 90[0001 <> 00]
            A > C1 00 30[{%/a} <> 'x'] C000
            A < E0[81]
            A closed
            """)
    }
    @Test func `MQTT-3.14.4-2`() throws { try refuses("81", "C1 00") }
    @Test func `MQTT-3.14.4-3`() throws { try play(Shared.willAfterDisconnect) }
    @Test func `MQTT-3.15.1-1`() throws { try refuses("81", "F1[18 <>]", "F2 00") }
}
