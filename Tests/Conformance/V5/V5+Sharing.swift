import Testing

/// Shared Subscriptions, §4.8.2, and what §3.8.3 says of them.
extension V5 {
    @Test func `MQTT-3.8.3-4`() throws {
        try refuses("82", "82[0001 <> {$share/g/%} 04]", "82[0001 <> {%} 00 {$share/g/%} 05]")
    }
    @Test func `MQTT-4.8.2-1`() throws {
        try refuses("81", "82[0001 <> {$share//%} 00]", "82[0001 <> {$share/} 00]")
        // It begins with $share, and not with $share/.
        try play(
            """
            A connect
            A > 82[0001 <> {$share} 00 {$shared/%} 00 {$share/\\c3\\a4 b/%} 00]
            A < 90[0001 <> 00 00 00]
            """)
    }
    @Test func `MQTT-4.8.2-2`() throws {
        try refuses(
            "81", "82[0001 <> {$share/g} 00]", "82[0001 <> {$share/g/} 00]", "82[0001 <> {$share/+/%} 00]",
            "82[0001 <> {$share/g#/%} 00]", "82[0001 <> {$share/g/%#} 00]", "A2[0001 <> {$share/g}]")
        // Groups are told apart by name and filter, and what is behind the name is the filter. Nothing retained is sent.
        try play(
            """
            A connect
            A > 31[{/%/a} <> 'kept']
            A > 82[0001 <0b 01> {$share/%g//%/+} 00] 82[0002 <0b 02> {$share/%h//%/+} 00] 82[0003 <0b 03> {$share/%g//%/a} 00]
            A < 90[0001 <> 00]
            A < 90[0002 <> 00]
            A < 90[0003 <> 00]
            A ping
            B connect
            B > 82[0001 <0b 04> {$share/%g//%/+} 00]
            B < 90[0001 <> 00]
            B > 30[{/%/a} <> '1'] 30[{/%/a} <> '2']
            A < 30[{/%/a} <0b 01> '1'] & 30[{/%/a} <0b 02> '1'] & 30[{/%/a} <0b 03> '1'] \
            & 30[{/%/a} <0b 02> '2'] & 30[{/%/a} <0b 03> '2']
            B < 30[{/%/a} <0b 04> '2']
            A > A2[0004 <> {$share/%g//%/+} {$share/%g//%/+}]
            A < B0[0004 <> 00 11]
            B > 30[{/%/a} <> '3']
            B < 30[{/%/a} <0b 04> '3']
            A < 30[{/%/a} <0b 02> '3'] & 30[{/%/a} <0b 03> '3']
            A ping
            """)
    }
    @Test func `MQTT-4.8.2-3`() throws {
        for name in ["connect", "persistent"] {
            try play(
                """
                A \(name)
                B \(name)
                C \(name)
                A > 82[0001 <> {$share/g/%/a} 00]
                A < 90[0001 <> 00]
                B > 82[0001 <> {$share/g/%/a} 01]
                B < 90[0001 <> 01]
                C > 82[0001 <> {$share/g/%/a} 02]
                C < 90[0001 <> 02]
                P connect
                P > 34[{%/a} 0001 <> '1'] 34[{%/a} 0002 <> '2'] 34[{%/a} 0003 <> '3']
                A < 30[{%/a} <> '1']
                B < 32[{%/a} 0001 <> '2']
                C < 34[{%/a} 0001 <> '3']
                A ping
                B ping
                C ping
                """)
        }
    }
    @Test func `MQTT-4.8.2-4`() throws {
        try play(
            """
            A persistent
            B connect
            A > 82[0001 <> {$share/g/%/a} 02]
            A < 90[0001 <> 02]
            B > 34[{%/a} 0001 <> '1'] 34[{%/a} 0002 <> '2']
            A < 34[{%/a} 0001 <> '1']
            A < 34[{%/a} 0002 <> '2']
            A > 50[0001]
            A < 62[0001]
            C connect
            C > 82[0001 <> {$share/g/%/a} 02]
            C < 90[0001 <> 02]
            A leave
            C ping
            A resume
            A < 62[0001]
            A < 3C[{%/a} 0002 <> '2']
            A > 70[0001] 50[0002]
            A < 62[0002]
            A > 70[0002]
            A ping
            C ping
            """)
        // At QoS 1 another Client may have it at once.
        try play(
            """
            A persistent
            B connect
            A > 82[0001 <> {$share/g/%/a} 01]
            A < 90[0001 <> 01]
            B > 32[{%/a} 0001 <> '1']
            A < 32[{%/a} 0001 <> '1']
            C connect
            C > 82[0001 <> {$share/g/%/a} 01]
            C < 90[0001 <> 01]
            C ping
            A leave
            C < 32[{%/a} 0001 <> '1']
            A resume
            A ping
            """)
    }
    @Test func `MQTT-4.8.2-5`() throws {
        for name in ["connect", "persistent"] {
            try play(
                """
                A \(name)
                B connect
                A > 82[0001 <> {$share/g/%/a} 02]
                A < 90[0001 <> 02]
                B > 34[{%/a} 0001 <> '1'] 34[{%/a} 0002 <> '2'] 32[{%/a} 0003 <> '3']
                A < 34[{%/a} 0001 <> '1'] & 34[{%/a} 0002 <> '2'] & 32[{%/a} .. .. <> '3']
                A > 50[0001]
                A < 62[0001]
                C \(name)
                C > 82[0001 <> {$share/g/%/a} 02]
                C < 90[0001 <> 02]
                A > E0[00 <11 00000000>]
                A closed
                C < 32[{%/a} 0001 <> '3']
                C ping
                """)
        }
    }
    @Test func `MQTT-4.8.2-6`() throws {
        for name in ["connect", "persistent"] {
            try play(
                """
                A \(name)
                B connect
                A > 82[0001 <> {$share/g/%/a} 02]
                A < 90[0001 <> 02]
                B > 32[{%/a} 0001 <> '1'] 34[{%/a} 0002 <> '2']
                A < 32[{%/a} 0001 <> '1'] & 34[{%/a} 0002 <> '2']
                C \(name)
                C > 82[0001 <> {$share/g/%/a} 02]
                C < 90[0001 <> 02]
                A > 40[0001 80] 50[0002 97]
                A ping
                C ping
                A leave
                C ping
                """)
        }
    }
}
