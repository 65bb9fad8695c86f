import Testing

/// CONNECT and CONNACK, §3.1 and §3.2.
extension V5 {
    @Test func `MQTT-3.1.0-1`() throws {
        for packet in ["C000", "30[{a} 00 'x']", "E000", "82[0001 00 {a} 00]", "40[0001]", "F000", "20[00 00 00]"] {
            try play("A open\nA > \(packet)\nA closed")
        }
    }
    @Test func `MQTT-3.1.0-2`() throws { try refuses("82", "10[{MQTT} 05 02 0000 <> {%A}]") }
    @Test func `MQTT-3.1.2-1`() throws {
        try rejects("84", "10[{MQTX} 05 02 0000 <> {%A}]", "10[{mqtt} 05 02 0000 <> {%A}]")
        try play("A open\nA > 10[{HTTP} 04 02 0000 {%A}]\nA closed")
    }
    @Test func `MQTT-3.1.2-2`() throws {
        try rejects("84", "10[{MQTT} 06 02 0000 <> {%A}]", "10[{MQTT} ff 02 0000 <> {%A}]")
        try play("A open\nA > 10[{MQTT} 00 02 0000 {%A}]\nA < 20[00 01]\nA closed")
    }
    @Test func `MQTT-3.1.2-3`() throws { try rejects("81", "10[{MQTT} 05 03 0000 <> {%A}]") }
    @Test func `MQTT-3.1.2-4`() throws { try play(Shared.sessionIsDiscarded) }
    @Test func `MQTT-3.1.2-5`() throws { try play(Shared.sessionIsResumed) }
    @Test func `MQTT-3.1.2-6`() throws {
        try play(
            "A persistent\nA > 82[0001 <> {%/a} 00]\nA < 90[0001 <> 00]\nA > 30[{%/a} <> 'x']\nA < 30[{%/a} <> 'x']")
    }
    @Test func `MQTT-3.1.2-7`() throws { try play(Shared.willAfterCut) }
    @Test func `MQTT-3.1.2-8`() throws {
        // With DISCONNECT 0x04, at once; after the Will Delay Interval; when the session ends before that; and after a
        // Protocol Error.
        for end in ["A > E0[04]\nA closed", "A > C1 00\nA < E0[81]\nA closed"] {
            try play(
                """
                B connect
                B > 82[0001 <> {%/will} 00]
                B < 90[0001 <> 00]
                A open
                A > 10[{MQTT} 05 06 0000 <> {%A} <> {%/will} {gone}]
                A < 20[00 00 ...]
                \(end)
                B < 30[{%/will} <> 'gone']
                """)
        }
        try play(
            """
            B connect
            B > 82[0001 <> {%/will} 00]
            B < 90[0001 <> 00]
            A open
            A > 10[{MQTT} 05 06 0000 <11 00000e10> {%A} <18 00000001> {%/will} {gone}]
            A < 20[00 00 ...]
            A cut
            B < 30[{%/will} <> 'gone']
            elapsed 1000
            A open
            A > 10[{MQTT} 05 06 0000 <> {%A} <18 00000e10> {%/will} {over}]
            A < 20[00 00 ...]
            A cut
            B < 30[{%/will} <> 'over']
            """)
    }
    @Test func `MQTT-3.1.2-9`() throws {
        try rejects(
            "81", "10[{MQTT} 05 06 0000 <> {%A}]", "10[{MQTT} 05 06 0000 <> {%A} <>]",
            "10[{MQTT} 05 06 0000 <> {%A} <> {%/w}]")
    }
    @Test func `MQTT-3.1.2-10`() throws {
        try play(Shared.willAfterDisconnect)
        try play(Shared.willIsPublishedOnce)
    }
    @Test func `MQTT-3.1.2-11`() throws { try rejects("81", "10[{MQTT} 05 0A 0000 <> {%A}]") }
    @Test func `MQTT-3.1.2-12`() throws {
        try rejects("81", "10[{MQTT} 05 1E 0000 <> {%A} <> {%/w} {x}]")
        for (flags, header, identifier) in [("06", "30", ""), ("0E", "32", "0001"), ("16", "34", "0001")] {
            try play(
                """
                B connect
                B > 82[0001 <> {%/will} 02]
                B < 90[0001 <> 02]
                A open
                A > 10[{MQTT} 05 \(flags) 0000 <> {%A} <> {%/will} {gone}]
                A < 20[00 00 ...]
                A cut
                B < \(header)[{%/will} \(identifier) <> 'gone']
                """)
        }
    }
    @Test func `MQTT-3.1.2-13`() throws { try rejects("81", "10[{MQTT} 05 22 0000 <> {%A}]") }
    @Test func `MQTT-3.1.2-14`() throws { try play(Shared.willNotRetained) }
    @Test func `MQTT-3.1.2-15`() throws { try play(Shared.willRetained) }
    @Test func `MQTT-3.1.2-16`() throws { try rejects("81", "10[{MQTT} 05 02 0000 <> {%A} {user}]") }
    @Test func `MQTT-3.1.2-17`() throws { try rejects("81", "10[{MQTT} 05 82 0000 <> {%A}]") }
    @Test func `MQTT-3.1.2-18`() throws { try rejects("81", "10[{MQTT} 05 82 0000 <> {%A} {user} {word}]") }
    @Test func `MQTT-3.1.2-19`() throws { try rejects("81", "10[{MQTT} 05 C2 0000 <> {%A} {user}]") }
    @Test func `MQTT-3.1.2-22`() throws { try play(Shared.keepAlive) }
    @Test func `MQTT-3.1.2-23`() throws { try play(Shared.addedToEverySession) }
    @Test func `MQTT-3.1.2-24`() throws {
        // 35 bytes are allowed: 33 behind the fixed header.
        try play(
            """
            A open
            A > 10[{MQTT} 05 02 0000 <27 00000040> {%A}]
            A < 20[00 00 ...]
            A > 82[0001 <> {%} 00]
            A < 90[0001 <> 00]
            B connect
            B > 30[{%} <> 'x'*100] 30[{%} <08 {%} 26 {a} {b}> 'x'*50] 30[{%} <> 'fits']
            A < 30[{%} <> 'fits']
            """)
    }
    @Test func `MQTT-3.1.2-25`() throws {
        try play(
            """
            A open
            A > 10[{MQTT} 05 02 0000 <27 00000040 21 0001> {%A}]
            A < 20[00 00 ...]
            A > 82[0001 <> {%} 02]
            A < 90[0001 <> 02]
            B connect
            B > 32[{%} 0001 <> 'x'*100] 34[{%} 0002 <> 'x'*100] 32[{%} 0003 <> '1'] 32[{%} 0004 <> '2']
            A < 32[{%} 0003 <> '1']
            A > 40[0003]
            A < 32[{%} 0004 <> '2']
            A ping
            """)
    }
    @Test func `MQTT-3.1.2-26`() throws {
        try play(Self.aliases(maximum: "22 0001", ["{%/a} <23 0001>", "{} <23 0001>"]))
    }
    @Test func `MQTT-3.1.2-27`() throws {
        try play(Self.aliases(maximum: "22 0000"))
        try play(Self.aliases(maximum: ""))
    }
    /// The Server never needs one.
    /// Two topics twice, published with aliases of the publisher's own, and how the first is to arrive.
    static func aliases(maximum: String, _ first: [String] = ["{%/a} <>", "{%/a} <>"]) -> String {
        """
        A open
        A > 10[{MQTT} 05 02 0000 <\(maximum)> {%A}]
        A < 20[00 00 ...]
        A > 82[0001 <> {%/#} 00]
        A < 90[0001 <> 00]
        A > 30[{%/a} <23 0001> '1'] 30[{} <23 0001> '2'] 30[{%/b} <23 0002> '3'] 30[{} <23 0002> '4']
        A < 30[\(first[0]) '1']
        A < 30[\(first[1]) '2']
        A < 30[{%/b} <> '3']
        A < 30[{%/b} <> '4']
        """
    }
    @Test func `MQTT-3.1.2-28`() throws {
        // All that a CONNACK has: Receive Maximum, Maximum Packet Size, Topic Alias Maximum, and no Response
        // Information where none is configured, asked for or not.
        for asked in ["", "19 00", "19 01"] {
            try play(
                """
                A open
                A > 10[{MQTT} 05 02 0000 <\(asked)> {%A}]
                A < 20[00 00 <21 0064 27 00100000 22 000a>]
                """)
        }
    }
    /// What a receiver of batches tells.
    static let node = "26 {roost-node} {conformance}"
    @Test func `MQTT-3.1.2-29`() throws {
        try play(
            """
            A open
            A > 10[{MQTT} 05 02 0000 <17 00> {%A}]
            A < 20[00 00 ...]
            A > 82[0001 <> 0021 '/'*33 00]
            A < 90[0001 <> 8f]
            A > A2[0002 <> {%/a}]
            A < B0[0002 <> 11]
            A > 32[{%/a} 0003 <> 'x']
            A < 40[0003 10]
            A > 32[{$SYS/a} 0004 <> 'x']
            A < 40[0004 87]
            A > 62[0005]
            A < 70[0005 92]
            """)
    }
    @Test func `MQTT-3.1.3-1`() throws { try play(Shared.payloadInOrder) }
    @Test func `MQTT-3.1.3-2`() throws { try play(Shared.identifierNamesTheSession) }
    @Test func `MQTT-3.1.3-3`() throws { try rejects("81", "10[{MQTT} 05 02 0000 <>]") }
    @Test func `MQTT-3.1.3-4`() throws {
        try rejects("81", "10[{MQTT} 05 02 0000 <> 0001 80]", "10[{MQTT} 05 02 0000 <> {\\00}]")
    }
    @Test func `MQTT-3.1.3-5`() throws { try play(Shared.allowedIdentifiers) }
    @Test func `MQTT-3.1.3-6`() throws { try play(Self.assigned) }
    @Test func `MQTT-3.1.3-7`() throws { try play(Self.assigned) }
    /// `auto-` and sixteen digits, announced, and like any other.
    static let assigned = """
        A open
        A > 10[{MQTT} 05 02 0000 <> {}]
        A < 20[00 00 <21 0064 27 00100000 12 0015 'auto-' ..*16 22 000a>]
        A > 82[0001 <> {%/a} 00]
        A < 90[0001 <> 00]
        B open
        B > 10[{MQTT} 05 00 0000 <11 00000e10> {}]
        B < 20[00 00 <21 0064 27 00100000 12 0015 'auto-' ..*16 22 000a>]
        B > 30[{%/a} <> 'x']
        A < 30[{%/a} <> 'x']
        B ping
        """
    @Test func `MQTT-3.1.3-8`() throws { try rejects("85", on: .modest, "10[{MQTT} 05 02 0000 <> {}]") }
    @Test func `MQTT-3.1.3-9`() throws {
        try play(
            """
            B connect
            B > 82[0001 <> {%/#} 00]
            B < 90[0001 <> 00]
            A open
            A > 10[{MQTT} 05 06 0000 <11 00000e10> {%A} <18 00000e10> {%/will} {gone}]
            A < 20[00 00 ...]
            A cut
            A resume
            A > E000
            A closed
            A resume
            A > 30[{%/mark} <> 'x']
            B < 30[{%/mark} <> 'x']
            """)
    }
    @Test func `MQTT-3.1.3-10`() throws {
        try play(
            """
            B connect
            B > 82[0001 <> {%/will} 00]
            B < 90[0001 <> 00]
            A open
            A > 10[{MQTT} 05 06 0000 <> {%A} <26 {b} {2} 26 {a} {1} 26 {b} {0}> {%/will} {gone}]
            A < 20[00 00 ...]
            A cut
            B < 30[{%/will} <26 {b} {2} 26 {a} {1} 26 {b} {0}> 'gone']
            """)
    }
    @Test func `MQTT-3.1.3-11`() throws {
        try rejects("81", "10[{MQTT} 05 06 0000 <> {%A} <> 0001 ff {x}]", "10[{MQTT} 05 06 0000 <> {%A} <> {\\00} {x}]")
    }
    @Test func `MQTT-3.1.3-12`() throws { try rejects("81", "10[{MQTT} 05 82 0000 <> {%A} 0001 ff]") }
    @Test func `MQTT-3.1.4-1`() throws {
        try rejects(
            "81", "10[{MQTT} 05 02 0000 <11 0000> {%A}]", "10[{MQTT} 05 02 0000 <> {%A} 00]",
            "10[{MQTT} 05 02 0000 <7f> {%A}]")
        try rejects(
            "82", "10[{MQTT} 05 02 0000 <11 00000001 11 00000001> {%A}]", "10[{MQTT} 05 02 0000 <21 0000> {%A}]",
            "10[{MQTT} 05 02 0000 <27 00000000> {%A}]", "10[{MQTT} 05 02 0000 <17 02> {%A}]",
            "10[{MQTT} 05 02 0000 <16 {x}> {%A}]")
    }
    @Test func `MQTT-3.1.4-2`() throws {
        try rejects("87", on: .closed, "10[{MQTT} 05 02 0000 <> {%A}]")
    }
    @Test func `MQTT-3.1.4-3`() throws { try play(Shared.taken) }
    @Test func `MQTT-3.1.4-4`() throws { try play(Shared.sessionIsDiscarded) }
    @Test func `MQTT-3.1.4-5`() throws { try play("A connect\nB persistent\nA ping\nB ping") }
    @Test func `MQTT-3.1.4-6`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/#} 00]
            A < 90[0001 <> 00]
            B open
            B > 10[{MQTT} 05 03 0000 <> {%B}] 31[{%/a} <> 'x'] C000
            B < 20[00 81 ...]
            B closed
            A > 30[{%/mark} <> 'x']
            A < 30[{%/mark} <> 'x']
            """)
        try play(
            "A open\nA > 10[{MQTT} 05 02 0000 <> {%A}] 82[0001 <> {%/a} 00] C000\nA < 20[00 87 ...]\nA closed",
            on: .closed)
    }
    @Test func `MQTT-3.2.0-1`() throws { try play(Shared.connackIsFirst) }
    @Test func `MQTT-3.2.0-2`() throws {
        try refuses("82", "10[{MQTT} 05 02 0000 <> {%A}] 10[{MQTT} 05 02 0000 <> {%A}]")
    }
    @Test func `MQTT-3.2.2-1`() throws {
        try play("A persistent\nA cut\nA open\nA > 10[{MQTT} 05 00 0000 <11 00000e10> {%A}]\nA < 20[01 00 ...]")
    }
    @Test func `MQTT-3.2.2-2`() throws { try play(Shared.sessionIsDiscarded) }
    @Test func `MQTT-3.2.2-3`() throws {
        try play("A persistent\nA cut\nA resume\nA cut\nA connect\nA cut\nA persistent")
    }
    @Test func `MQTT-3.2.2-6`() throws {
        try play(
            """
            A persistent
            A cut
            A open
            A > 10[{MQTT} 05 04 0000 <11 00000e10> {%A} <02 00000000 02 00000000> {w} {x}]
            A < 20[00 82 ...]
            A closed
            """)
    }
    @Test func `MQTT-3.2.2-7`() throws { try rejects("82", "10[{MQTT} 05 02 0000 <21 0000> {%A}]") }
    @Test func `MQTT-3.2.2-8`() throws {
        try rejects("8c", "10[{MQTT} 05 02 0000 <15 {none}> {%A}]")
        try rejects("9b", on: .modest, "10[{MQTT} 05 16 0000 <> {%A} <> {w} {x}]")
        try rejects("87", on: .closed, "10[{MQTT} 05 C2 0000 <> {%A} {who} {word}]")
    }
    @Test func `MQTT-3.2.2-9`() throws {
        try play(
            """
            A open
            A > 10[{MQTT} 05 02 000a <> {%A}]
            A < 20[00 00 <21 0064 24 01 25 00 27 00000400 \(Self.node)>]
            """, on: .modest)
    }
    @Test func `MQTT-3.2.2-10`() throws {
        try play(
            "A connect\nA > 82[0001 <> {%/0} 00 {%/1} 01 {%/2} 02]\nA < 90[0001 <> 00 01 01]", on: .modest)
    }
    @Test func `MQTT-3.2.2-11`() throws { try refuses("9b", on: .modest, "34[{%/a} 0001 <> 'x']") }
    @Test func `MQTT-3.2.2-12`() throws { try rejects("9b", on: .modest, "10[{MQTT} 05 16 0000 <> {%A} <> {w} {x}]") }
    @Test func `MQTT-3.2.2-13`() throws { try rejects("9a", on: .modest, "10[{MQTT} 05 26 0000 <> {%A} <> {w} {x}]") }
    @Test func `MQTT-3.2.2-14`() throws { try refuses("9a", on: .modest, "31[{%/a} <> 'x']") }
    @Test func `MQTT-3.2.2-15`() throws { try refuses("95", on: .modest, "30[{%/a} <> 'x'*1100]") }
    @Test func `MQTT-3.2.2-16`() throws { try play(Self.assigned) }
    @Test func `MQTT-3.2.2-17`() throws { try refuses("94", "30[{%/a} <23 000b> 'x']", "30[{%/a} <23 ffff> 'x']") }
    @Test func `MQTT-3.2.2-18`() throws { try refuses("94", on: .modest, "30[{%/a} <23 0001> 'x']") }
    @Test func `MQTT-3.2.2-20`() throws {
        // The node's name is left out where there is no room for it.
        try play(
            """
            A open
            A > 10[{MQTT} 05 02 000a <27 00000028> {%A}]
            A < 20[00 00 <21 0064 24 01 25 00 27 00000400>]
            A ping
            """, on: .modest)
    }
    @Test func `MQTT-3.2.2-21`() throws {
        try play(
            """
            A open
            A > 10[{MQTT} 05 02 0100 <> {%A}]
            A < 20[00 00 <21 0064 24 01 25 00 27 00000400 \(Self.node) 13 0014>]
            """, on: .modest)
    }
    @Test func `MQTT-3.2.2-22`() throws { try play(Shared.keepAlive) }
}
