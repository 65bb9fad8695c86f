import Testing

/// PUBLISH and its acknowledgements, §3.3 to §3.7.
extension V5 {
    @Test func `MQTT-3.3.1-1`() throws { try play(Shared.resentWithDUP) }
    @Test func `MQTT-3.3.1-2`() throws { try refuses("81", "38[{%/a} <> 'x']", "39[{%/a} <> 'x']") }
    @Test func `MQTT-3.3.1-3`() throws { try play(Shared.duplicateFlagIsNotForwarded) }
    @Test func `MQTT-3.3.1-4`() throws { try refuses("81", "36[{%/a} 0001 <> 'x']", "3E[{%/a} 0001 <> 'x']") }
    @Test func `MQTT-3.3.1-5`() throws { try play(Shared.retainedIsReplaced) }
    @Test func `MQTT-3.3.1-6`() throws { try play(Shared.emptyRemovesRetained) }
    @Test func `MQTT-3.3.1-7`() throws {
        try play(
            """
            A connect
            A > 33[{%/a} 0001 <>]
            A < 40[0001]
            A > 82[0001 <> {%/a} 00]
            A < 90[0001 <> 00]
            A ping
            """)
    }
    @Test func `MQTT-3.3.1-8`() throws { try play(Shared.unretainedChangesNothing) }
    @Test func `MQTT-3.3.1-9`() throws { try play(Self.retainHandling("00", new: true, again: true)) }
    @Test func `MQTT-3.3.1-10`() throws { try play(Self.retainHandling("10", new: true, again: false)) }
    @Test func `MQTT-3.3.1-11`() throws { try play(Self.retainHandling("20", new: false, again: false)) }
    static func retainHandling(_ options: String, new: Bool, again: Bool) -> String {
        """
        B connect
        B > 31[{%/a} <> '1'] 33[{%/b} 0001 <> '2']
        B < 40[0001]
        A connect
        A > 82[0001 <> {%/+} \(options)]
        A < 90[0001 <> 00]
        \(new ? "A < 31[{%/a} <> '1'] & 31[{%/b} <> '2']" : "A ping")
        A > 82[0002 <> {%/+} \(options)]
        A < 90[0002 <> 00]
        \(again ? "A < 31[{%/a} <> '1'] & 31[{%/b} <> '2']" : "A ping")
        A ping
        """
    }
    @Test func `MQTT-3.3.1-12`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/a} 02]
            A < 90[0001 <> 02]
            B connect
            B > 31[{%/a} <> '1'] 33[{%/a} 0001 <> '2'] 30[{%/a} <> '3']
            A < 30[{%/a} <> '1']
            A < 32[{%/a} 0001 <> '2']
            A < 30[{%/a} <> '3']
            """)
    }
    @Test func `MQTT-3.3.1-13`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/a} 0A]
            A < 90[0001 <> 02]
            B connect
            B > 31[{%/a} <> '1'] 33[{%/a} 0001 <> '2'] 30[{%/a} <> '3']
            A < 31[{%/a} <> '1']
            A < 33[{%/a} 0001 <> '2']
            A < 30[{%/a} <> '3']
            """)
    }
    @Test func `MQTT-3.3.2-1`() throws { try refuses("81", "30[]", "30[00]", "30[0005 'ab']", "30[0002 c328 <> 'x']") }
    @Test func `MQTT-3.3.2-2`() throws {
        try refuses("81", "30[{%/+} <> 'x']", "30[{%/#} <> 'x']", "32[{a+} 0001 <> 'x']")
    }
    @Test func `MQTT-3.3.2-3`() throws { try play(Shared.topicsMatch) }
    @Test func `MQTT-3.3.2-4`() throws { try play(Self.forwards("01 00", "01 01")) }
    @Test func `MQTT-3.3.2-5`() throws {
        try play(
            """
            A persistent
            A > 82[0001 <> {%/a} 01]
            A < 90[0001 <> 01]
            A leave
            B connect
            B > 32[{%/a} 0001 <02 00000001> 'stale'] 32[{%/a} 0002 <> 'fresh']
            B > 33[{%/r} 0003 <02 00000001> 'stale']
            B < 40[0001] & 40[0002] & 40[0003]
            wait 1100
            A resume
            A < 32[{%/a} 0001 <> 'fresh']
            A > 82[0002 <> {%/r} 00]
            A < 90[0002 <> 00]
            A ping
            """)
    }
    @Test func `MQTT-3.3.2-6`() throws {
        // What waited more than a second has less than it had; and never more, however slow the machine is.
        try play(
            """
            A persistent
            A > 82[0001 <> {%/a} 01]
            A < 90[0001 <> 01]
            A leave
            B connect
            B > 32[{%/a} 0001 <02 00000200> '1']
            B < 40[0001]
            wait 1100
            A resume
            A < 32[{%/a} 0001 <02 0000 01 ..> '1']
            """)
    }
    @Test func `MQTT-3.3.2-7`() throws {
        try play(
            """
            A persistent
            A > 30[{%/a} <23 0001> 'x']
            A leave
            A resume
            A > 30[{} <23 0001> 'x']
            A < E0[82]
            A closed
            """)
    }
    @Test func `MQTT-3.3.2-8`() throws { try refuses("94", "30[{%/a} <23 0000> 'x']") }
    @Test func `MQTT-3.3.2-9`() throws { try refuses("94", "30[{%/a} <23 000b> 'x']") }
    @Test func `MQTT-3.3.2-11`() throws {
        try play(Self.aliases(maximum: "22 0001", ["{%/a} <23 0001>", "{} <23 0001>"]))
    }
    @Test func `MQTT-3.3.2-12`() throws {
        try play(
            """
            A connect
            A > 82[0001 <> {%/#} 00]
            A < 90[0001 <> 00]
            A > 30[{%/1} <23 0001> 'a'] 30[{%/2} <23 0002> 'b'] 30[{%/10} <23 000a> 'c']
            A < 30[{%/1} <> 'a']
            A < 30[{%/2} <> 'b']
            A < 30[{%/10} <> 'c']
            A > 30[{} <23 000a> 'd'] 30[{%/3} <23 0001> 'e'] 30[{} <23 0001> 'f'] 30[{} <23 0002> 'g']
            A < 30[{%/10} <> 'd']
            A < 30[{%/3} <> 'e']
            A < 30[{%/3} <> 'f']
            A < 30[{%/2} <> 'g']
            """)
    }
    @Test func `MQTT-3.3.2-13`() throws { try refuses("81", "30[{%/a} <08 0001 ff> 'x']", "30[{%/a} <08 {\\00}> 'x']") }
    @Test func `MQTT-3.3.2-14`() throws { try refuses("82", "30[{%/a} <08 {a/+}> 'x']", "30[{%/a} <08 {#}> 'x']") }
    @Test func `MQTT-3.3.2-15`() throws { try play(Self.forwards("08 {%/answer}")) }
    @Test func `MQTT-3.3.2-16`() throws { try play(Self.forwards("09 0003 00ff80", "09 0000")) }
    @Test func `MQTT-3.3.2-17`() throws { try play(Self.forwards("26 {a} {1}", "26 {} {}", "26 {a} {1} 26 {a} {1}")) }
    @Test func `MQTT-3.3.2-18`() throws { try play(Self.forwards("26 {c} {3} 26 {a} {1} 26 {c} {0} 26 {b} {2}")) }
    @Test func `MQTT-3.3.2-19`() throws { try refuses("81", "30[{%/a} <03 0001 ff> 'x']", "30[{%/a} <03 {\\00}> 'x']") }
    @Test func `MQTT-3.3.2-20`() throws { try play(Self.forwards("03 {text/plain}", "03 {}")) }
    /// To all subscribers, now, later, and as a retained message.
    static func forwards(_ properties: String...) -> String {
        properties.map { property in
            """
            A connect
            B persistent
            A > 82[0001 <> {%/a} 01]
            A < 90[0001 <> 01]
            B > 82[0001 <> {%/a} 01]
            B < 90[0001 <> 01]
            B leave
            A > 33[{%/a} 0001 <\(property)> 'x']
            A < 32[{%/a} 0001 <\(property)> 'x'] & 40[0001]
            B resume
            B < 32[{%/a} 0001 <\(property)> 'x']
            C connect
            C > 82[0001 <> {%/a} 00]
            C < 90[0001 <> 00]
            C < 31[{%/a} <\(property)> 'x']
            C > 31[{%/a} <>]
            C < 30[{%/a} <>]
            B < 30[{%/a} <>]
            B connect
            B leave
            """
        }.joined(separator: "\n")
    }
    @Test func `MQTT-3.3.4-1`() throws { try play(Shared.answersByQoS) }
    @Test func `MQTT-3.3.4-2`() throws { try play(Self.overlapping) }
    @Test func `MQTT-3.3.4-3`() throws { try play(Self.overlapping) }
    @Test func `MQTT-3.3.4-4`() throws { try play(Self.overlapping) }
    /// One copy, at the highest QoS, with all Subscription Identifiers.
    static let overlapping = """
        A connect
        A > 82[0001 <0b 01> {%/a} 00] 82[0002 <0b ffffff7f> {%/+} 02] 82[0003 <0b 8001> {%/#} 01] 82[0004 <> {+/%} 02]
        A < 90[0001 <> 00]
        A < 90[0002 <> 02]
        A < 90[0003 <> 01]
        A < 90[0004 <> 02]
        B connect
        B > 34[{%/a} 0001 <> 'x']
        A < 34[{%/a} 0001 <0b .. .. .. .. .. .. .. .. .. > 'x']
        A ping
        """
    @Test func `MQTT-3.3.4-6`() throws { try refuses("82", "30[{%/a} <0b 01> 'x']", "30[{%/a} <0b 00> 'x']") }
    @Test func `MQTT-3.3.4-7`() throws {
        // 101 messages at QoS 2 that are never released, where 100 are allowed.
        let all = (1...101).map {
            "34[{%/a} 00\(String($0, radix: 16).count < 2 ? "0" : "")\(String($0, radix: 16)) <> 'x']"
        }
        let answers = (1...100).map { "50[00\($0 < 16 ? "0" : "")\(String($0, radix: 16)) 10]" }
        try play(
            """
            A connect
            A > \(all.prefix(100).joined())
            A < \(answers.joined(separator: " & "))
            A > \(all[100])
            A < E0[93]
            A closed
            """)
    }
    @Test func `MQTT-3.3.4-9`() throws { try play(Self.receiveMaximum) }
    @Test func `MQTT-3.3.4-10`() throws { try play(Self.receiveMaximum) }
    static let receiveMaximum = """
        A open
        A > 10[{MQTT} 05 02 0000 <21 0002> {%A}]
        A < 20[00 00 ...]
        A > 82[0001 <> {%/a} 02]
        A < 90[0001 <> 02]
        B connect
        B > 32[{%/a} 0001 <> '1'] 34[{%/a} 0002 <> '2'] 32[{%/a} 0003 <> '3'] 32[{%/a} 0004 <> '4']
        A < 32[{%/a} 0001 <> '1'] & 34[{%/a} 0002 <> '2']
        B < 40[0001] & 50[0002] & 40[0003] & 40[0004]
        A > 30[{%/a} <> 'now']
        A > 82[0002 <> {%/b} 00] 32[{%/c} 0001 <> 'x']
        A < 30[{%/a} <> 'now'] & 90[0002 <> 00] & 40[0001 10]
        A ping
        A > 50[0002]
        A < 62[0002]
        A ping
        A > 70[0002]
        A < 32[{%/a} 0003 <> '3']
        A ping
        A > 40[0001 80]
        A < 32[{%/a} 0004 <> '4']
        """
    @Test func `MQTT-3.4.2-1`() throws {
        try refuses("82", "40[0001 05]", "40[0001 92]")
        try play(Self.reasons)
    }
    @Test func `MQTT-3.5.2-1`() throws {
        try refuses("82", "50[0001 05]", "50[0001 92]")
        try play(Self.reasons)
    }
    @Test func `MQTT-3.6.1-1`() throws { try refuses("81", "60[0001]", "61[0001]", "63[0001]", "6A[0001]") }
    @Test func `MQTT-3.6.2-1`() throws {
        try refuses("82", "62[0001 10]", "62[0001 80]")
        try play(Self.reasons)
    }
    @Test func `MQTT-3.7.2-1`() throws {
        try refuses("82", "70[0001 10]", "70[0001 80]")
        try play(Self.reasons)
    }
    /// Success, no matching subscribers, not authorized, and an identifier that isn't known.
    static let reasons = """
        A connect
        A > 82[0001 <> {%/a} 02]
        A < 90[0001 <> 02]
        A > 32[{%/b} 0001 <> 'x'] 32[{$SYS/b} 0002 <> 'x']
        A < 40[0001 10]
        A < 40[0002 87]
        A > 34[{%/b} 0001 <> 'x'] 34[{$SYS/b} 0002 <> 'x']
        A < 50[0001 10]
        A < 50[0002 87]
        A > 62[0001] 62[0002] 62[0003]
        A < 70[0001]
        A < 70[0002 92]
        A < 70[0003 92]
        A > 34[{%/a} 0004 <> 'x']
        A < 50[0004] & 34[{%/a} 0001 <> 'x']
        A > 50[0001]
        A < 62[0001]
        A > 50[0009]
        A < 62[0009 92]
        """
}
