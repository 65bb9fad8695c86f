/// Scripts of statements that both versions have: on connections and sessions ...
enum Shared {
    static let unusedIdentifiers = """
        A connect
        B connect
        A > 82[0001 <> {%/a} 02]
        A < 90[0001 <> 02]
        B > 32[{%/a} 0007 <> '1'] 34[{%/a} 0008 <> '2'] 32[{%/a} 0009 <> '3']
        A < 32[{%/a} 0001 <> '1'] & 34[{%/a} 0002 <> '2'] & 32[{%/a} 0003 <> '3']
        A > 40[0001]
        B < 40[0007] & 50[0008] & 40[0009]
        B > 32[{%/a} 0007 <> '4']
        A < 32[{%/a} 0004 <> '4']
        """
    static let identifiersOfAcknowledgements = """
        A connect
        A > 82[0001 <> {%/a} 02]
        A < 90[0001 <> 02]
        A > 32[{%/a} 1234 <> '1']
        A < 32[{%/a} .. .. <> '1'] & 40[1234]
        A > 34[{%/a} abcd <> '2']
        A < 34[{%/a} 0002 <> '2'] & 50[abcd]
        A > 62[abcd]
        A < 70[abcd]
        A > 50[0002]
        A < 62[0002]
        A > 70[0002]
        A ping
        """
    static let identifiersOfSubscriptions = """
        A connect
        A > 82[1234 <> {%/a} 00]
        A < 90[1234 <> 00]
        A > A2[abcd <> {%/a}]
        A < B0[abcd <> (00)]
        """
    static let sessionIsResumed = """
        A persistent
        A > 82[0001 <> {%/a} 01 {%/b} 00]
        A < 90[0001 <> 01 00]
        A leave
        B connect
        B > 32[{%/a} 0001 <> '1']
        B < 40[0001]
        A resume
        A < 32[{%/a} 0001 <> '1']
        A > 40[0001]
        B > 30[{%/b} <> '2']
        A < 30[{%/b} <> '2']
        """
    static let sessionIsDiscarded = """
        A persistent
        A > 82[0001 <> {%/a} 01]
        A < 90[0001 <> 01]
        A leave
        B connect
        B > 32[{%/a} 0001 <> '1']
        B < 40[0001]
        A connect
        B > 32[{%/a} 0001 <> '2']
        B < 40[0001 (10)]
        A ping
        A leave
        A persistent
        A ping
        """
    static let willAfterCut = """
        B connect
        B > 82[0001 <> {%/will} 02]
        B < 90[0001 <> 02]
        A open
        A > 10[{MQTT} L 06 0000 <> {%A} <> {%/will} {gone}]
        A < 20[00 00 ...]
        A cut
        B < 30[{%/will} <> 'gone']
        """
    static let willAfterDisconnect = """
        B connect
        B > 82[0001 <> {%/#} 00]
        B < 90[0001 <> 00]
        A open
        A > 10[{MQTT} L 06 0000 <> {%A} <> {%/will} {gone}]
        A < 20[00 00 ...]
        A > E000
        A closed
        A connect
        A cut
        A connect
        A > 30[{%/mark} <> 'x']
        B < 30[{%/mark} <> 'x']
        """
    static let willIsPublishedOnce = """
        B connect
        B > 82[0001 <> {%/#} 00]
        B < 90[0001 <> 00]
        A open
        A > 10[{MQTT} L 04 0000 <11 00000e10> {%A} <> {%/will} {gone}]
        A < 20[00 00 ...]
        A cut
        B < 30[{%/will} <> 'gone']
        A resume
        A cut
        A resume
        A > 30[{%/mark} <> 'x']
        B < 30[{%/mark} <> 'x']
        """
    static let willNotRetained = """
        B connect
        B > 82[0001 <> {%/will} (08) |00|]
        B < 90[0001 <> 00]
        A open
        A > 10[{MQTT} L 06 0000 <> {%A} <> {%/will} {gone}]
        A < 20[00 00 ...]
        A cut
        B < 30[{%/will} <> 'gone']
        C connect
        C > 82[0001 <> {%/will} 00]
        C < 90[0001 <> 00]
        C ping
        """
    static let willRetained = """
        B connect
        B > 82[0001 <> {%/will} 01]
        B < 90[0001 <> 01]
        A open
        A > 10[{MQTT} L 2e 0000 <> {%A} <> {%/will} {gone}]
        A < 20[00 00 ...]
        A cut
        B < 32[{%/will} 0001 <> 'gone']
        C connect
        C > 82[0001 <> {%/will} 01]
        C < 90[0001 <> 01]
        C < 33[{%/will} 0001 <> 'gone']
        """
    static let keepAlive = """
        A open
        A > 10[{MQTT} L 02 0001 <> {%A}]
        A < 20[00 00 ...]
        v5 A < E0[8d]
        A closed
        elapsed 1500
        """
    static let payloadInOrder = """
        B connect
        B > 82[0001 <> {%/will} 00]
        B < 90[0001 <> 00]
        A open
        A > 10[{MQTT} L c6 0000 <> {%A} <> {%/will} {gone} {user} {word}]
        A < 20[00 00 ...]
        A cut
        B < 30[{%/will} <> 'gone']
        """
    static let identifierNamesTheSession = """
        A persistent
        B persistent
        A > 82[0001 <> {%/a} 01]
        A < 90[0001 <> 01]
        B > 82[0001 <> {%/b} 01]
        B < 90[0001 <> 01]
        A leave
        B leave
        C connect
        C > 32[{%/a} 0001 <> 'a'] 32[{%/b} 0002 <> 'b']
        C < 40[0001] & 40[0002]
        B resume
        B < 32[{%/b} 0001 <> 'b']
        B ping
        A resume
        A < 32[{%/a} 0001 <> 'a']
        A ping
        """
    static let allowedIdentifiers = """
        A open
        A > 10[{MQTT} L 02 0000 <> {5}]
        A < 20[00 00 ...]
        A open
        A > 10[{MQTT} L 02 0000 <> {0123456789abcdefghijklm}]
        A < 20[00 00 ...]
        A open
        A > 10[{MQTT} L 02 0000 <> {nopqrstuvwxyzABCDEFGHIJ}]
        A < 20[00 00 ...]
        A open
        A > 10[{MQTT} L 02 0000 <> {KLMNOPQRSTUVWXYZ}]
        A < 20[00 00 ...]
        A ping
        """
    static let connackIsFirst = """
        A persistent
        A > 82[0001 <> {%/a} 01]
        A < 90[0001 <> 01]
        A leave
        B connect
        B > 32[{%/a} 0001 <> '1'] 32[{%/a} 0002 <> '2']
        B < 40[0001] & 40[0002]
        A open
        A > 10[{MQTT} L 00 0000 <11 00000e10> {%A}] 82[0002 <> {%/b} 00] C000
        A < 20[01 00 ...]
        A < 32[{%/a} 0001 <> '1'] & 32[{%/a} 0002 <> '2'] & 90[0002 <> 00] & D000
        """
    static let taken = """
        A connect
        B open
        B > 10[{MQTT} L 02 0000 <> {%A}]
        B < 20[00 00 ...]
        v5 A < E0[8e]
        A closed
        B ping
        """
}
