import Testing

/// PUBLISH to DISCONNECT, §3.3 to §3.14.
extension V311 {
    @Test func `MQTT-3.3.1-1`() throws { try play(Shared.resentWithDUP) }
    @Test func `MQTT-3.3.1-2`() throws { try refuses("38[{%/a} 'x']", "39[{%/a} 'x']") }
    @Test func `MQTT-3.3.1-3`() throws { try play(Shared.duplicateFlagIsNotForwarded) }
    @Test func `MQTT-3.3.1-4`() throws { try refuses("36[{%/a} 0001 'x']", "3E[{%/a} 0001 'x']") }
    @Test func `MQTT-3.3.1-5`() throws { try play(Shared.retainedIsReplaced) }
    @Test func `MQTT-3.3.1-6`() throws { try play(Shared.replacing) }
    @Test func `MQTT-3.3.1-7`() throws {
        try play(
            """
            A connect
            A > 33[{%/a} 0001 'old'] 31[{%/a} 'new']
            A < 40[0001]
            B connect
            B > 82[0001 {%/a} 01]
            B < 90[0001 01]
            B < 31[{%/a} 'new']
            """)
    }
    @Test func `MQTT-3.3.1-8`() throws { try play(Shared.replacing) }
    @Test func `MQTT-3.3.1-9`() throws {
        try play(
            """
            A connect
            A > 82[0001 {%/a} 01]
            A < 90[0001 01]
            B connect
            B > 31[{%/a} '1'] 33[{%/a} 0001 '2']
            A < 30[{%/a} '1']
            A < 32[{%/a} 0001 '2']
            """)
    }
    @Test func `MQTT-3.3.1-10`() throws { try play(Shared.emptyRemovesRetained) }
    @Test func `MQTT-3.3.1-11`() throws { try play(Shared.emptyRemovesRetained) }
    @Test func `MQTT-3.3.1-12`() throws { try play(Shared.unretainedChangesNothing) }
    @Test func `MQTT-3.3.2-1`() throws { try refuses("30[]", "30[00]", "30[0005 'ab']", "30[0002 c328 'x']") }
    @Test func `MQTT-3.3.2-2`() throws { try refuses("30[{%/+} 'x']", "30[{%/#} 'x']", "32[{a+} 0001 'x']") }
    @Test func `MQTT-3.3.2-3`() throws { try play(Shared.topicsMatch) }
    @Test func `MQTT-3.3.4-1`() throws { try play(Shared.answersByQoS) }
    @Test func `MQTT-3.3.5-1`() throws {
        try play(
            """
            A connect
            A > 82[0001 {%/a} 00 {%/+} 02 {%/#} 01]
            A < 90[0001 00 02 01]
            B connect
            B > 34[{%/a} 0001 'x']
            A < 34[{%/a} 0001 'x']
            A ping
            """)
    }
    @Test func `MQTT-3.3.5-2`() throws {
        // Who may not publish is acknowledged, and nobody gets it.
        try play(
            """
            A connect
            A > 82[0001 {$SYS/%} 00]
            A < 90[0001 00]
            A > 32[{$SYS/%} 0001 'x'] 34[{$SYS/%} 0002 'x']
            A < 40[0001]
            A < 50[0002]
            A ping
            """)
    }
    @Test func `MQTT-3.6.1-1`() throws { try refuses("60[0001]", "61[0001]", "63[0001]", "6A[0001]") }
    @Test func `MQTT-3.8.1-1`() throws {
        try refuses("80[0001 {%/a} 00]", "81[0001 {%/a} 00]", "83[0001 {%/a} 00]", "8A[0001 {%/a} 00]")
    }
    @Test func `MQTT-3.8.3-1`() throws { try refuses("82[0001 0001 ff 00]", "82[0001 {a\\00} 00]") }
    @Test func `MQTT-3.8.3-3`() throws { try refuses("82[0001]") }
    @Test func `MQTT-3.8.3-4`() throws { try refuses("82[0001 {%/a} 03]", "82[0001 {%/a} 04]", "82[0001 {%/a} 80]") }
    @Test func `MQTT-3.8.4-1`() throws { try play(Shared.subscribing) }
    @Test func `MQTT-3.8.4-2`() throws { try play(Shared.subscribing) }
    @Test func `MQTT-3.8.4-3`() throws { try play(Shared.replacing) }
    @Test func `MQTT-3.8.4-4`() throws {
        try play(
            """
            A connect
            A > 82[0001 {%/a} 02 {%/b} 01 {%/a} 00 0021 '/'*33 00 {%/c/#} 02]
            A < 90[0001 02 01 00 80 02]
            A > 34[{%/a} 0001 'x']
            A < 50[0001] & 30[{%/a} 'x']
            A ping
            """)
    }
    @Test func `MQTT-3.8.4-5`() throws { try play(Shared.subscribing) }
    @Test func `MQTT-3.8.4-6`() throws { try play(Shared.lowerOfTheQoS) }
    @Test func `MQTT-3.9.3-1`() throws { try play(Shared.subscribing) }
    @Test func `MQTT-3.9.3-2`() throws {
        try play("A connect\nA > 82[0001 {%/2} 02 0021 '/'*33 00 {%/0} 00 {%/1} 01]\nA < 90[0001 02 80 00 01]")
    }
    @Test func `MQTT-3.10.1-1`() throws {
        try refuses("A0[0001 {%/a}]", "A1[0001 {%/a}]", "A3[0001 {%/a}]", "AA[0001 {%/a}]")
    }
    @Test func `MQTT-3.10.3-1`() throws { try refuses("A2[0001 0001 ff]", "A2[0001 {a\\00}]", "A2[0001 {%/a} 00]") }
    @Test func `MQTT-3.10.3-2`() throws { try refuses("A2[0001]") }
    @Test func `MQTT-3.10.4-1`() throws { try play(Shared.unsubscribing) }
    @Test func `MQTT-3.10.4-2`() throws { try play(Shared.unsubscribing) }
    @Test func `MQTT-3.10.4-3`() throws { try play(Shared.unsubscribingCompletes) }
    @Test func `MQTT-3.10.4-4`() throws { try play(Shared.unsubscribing) }
    @Test func `MQTT-3.10.4-5`() throws { try play(Shared.unsubscribingNothing) }
    @Test func `MQTT-3.10.4-6`() throws { try play(Shared.unsubscribing) }
    @Test func `MQTT-3.12.4-1`() throws { try play("A connect\nA > C000 C000\nA < D000\nA < D000\nA ping") }
    @Test func `MQTT-3.14.1-1`() throws { try refuses("E1 00", "E2 00", "E8 00") }
    @Test func `MQTT-3.14.4-3`() throws { try play(Shared.willAfterDisconnect) }
}
