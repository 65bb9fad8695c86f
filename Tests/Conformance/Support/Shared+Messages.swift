/// ... on messages, subscriptions and topics.
extension Shared {
    static let resentWithDUP = """
        A persistent
        A > 82[0001 <> {%/a} 01]
        A < 90[0001 <> 01]
        B connect
        B > 32[{%/a} 0001 <> '1'] 32[{%/a} 0002 <> '2']
        A < 32[{%/a} 0001 <> '1']
        A < 32[{%/a} 0002 <> '2']
        A cut
        A resume
        A < 3A[{%/a} 0001 <> '1']
        A < 3A[{%/a} 0002 <> '2']
        A > 40[0001] 40[0002]
        A ping
        A cut
        A resume
        A ping
        """
    static let exactlyOnceIsResumed = """
        A persistent
        A > 82[0001 <> {%/a} 02]
        A < 90[0001 <> 02]
        B connect
        B > 34[{%/a} 0001 <> '1']
        A < 34[{%/a} 0001 <> '1']
        A cut
        A resume
        A < 3C[{%/a} 0001 <> '1']
        A > 50[0001]
        A < 62[0001]
        A cut
        A resume
        A < 62[0001]
        A > 70[0001]
        A ping
        A cut
        A resume
        A ping
        """
    static let duplicateFlagIsNotForwarded = """
        A connect
        A > 82[0001 <> {%/a} 02]
        A < 90[0001 <> 02]
        B connect
        B > 3A[{%/a} 0001 <> '1'] 3C[{%/a} 0002 <> '2']
        A < 32[{%/a} 0001 <> '1'] & 34[{%/a} 0002 <> '2']
        """
    static let retainedIsReplaced = """
        A connect
        A > 31[{%/a} <> 'old'] 33[{%/a} 0001 <> 'new']
        A < 40[0001]
        B connect
        B > 82[0001 <> {%/a} 01]
        B < 90[0001 <> 01]
        B < 33[{%/a} 0001 <> 'new']
        """
    static let emptyRemovesRetained = """
        A connect
        B connect
        A > 33[{%/a} 0001 <> 'x']
        A < 40[0001]
        B > 82[0001 <> {%/a} 00]
        B < 90[0001 <> 00]
        B < 31[{%/a} <> 'x']
        A > 33[{%/a} 0002 <>]
        A < 40[0002]
        B < 30[{%/a} <>]
        C connect
        C > 82[0001 <> {%/a} 00]
        C < 90[0001 <> 00]
        C ping
        """
    static let unretainedChangesNothing = """
        A connect
        A > 33[{%/a} 0001 <> 'kept']
        A < 40[0001]
        A > 32[{%/a} 0002 <> 'gone'] 32[{%/a} 0003 <>] 32[{%/b} 0004 <> 'x']
        A < 40[0002 (10)] & 40[0003 (10)] & 40[0004 (10)]
        B connect
        B > 82[0001 <> {%/#} 00]
        B < 90[0001 <> 00]
        B < 31[{%/a} <> 'kept']
        B ping
        """
    static let topicsMatch = """
        A connect
        A > 82[0001 <> {%/a/+} 00 {%/b/#} 00 {%/c} 00]
        A < 90[0001 <> 00 00 00]
        B connect
        B > 30[{%/a} <> '0'] 30[{%/a/1} <> '1'] 30[{%/a/1/2} <> '2'] 30[{%/a/} <> '3']
        B > 30[{%/b} <> '4'] 30[{%/b/1/2} <> '5'] 30[{%/c/d} <> '6'] 30[{%/C} <> '7'] 30[{%/c} <> '8']
        A < 30[{%/a/1} <> '1']
        A < 30[{%/a/} <> '3']
        A < 30[{%/b} <> '4']
        A < 30[{%/b/1/2} <> '5']
        A < 30[{%/c} <> '8']
        A ping
        """
    static let answersByQoS = """
        A connect
        A > 30[{%/a} <> '0']
        A ping
        A > 32[{%/a} 0001 <> '1']
        A < 40[0001 (10)]
        A > 34[{%/a} 0002 <> '2']
        A < 50[0002 (10)]
        A > 62[0002]
        A < 70[0002]
        """
    static let subscribing = """
        A connect
        A > 82[1234 <> {%/a} 00 {%/b} 01 {%/c} 02]
        A < 90[1234 <> 00 01 02]
        """
    static let replacing = """
        B connect
        B > 33[{%/a} 0001 <> 'kept']
        B < 40[0001]
        A connect
        A > 82[0001 <> {%/a} 02]
        A < 90[0001 <> 02]
        A < 33[{%/a} 0001 <> 'kept']
        A > 82[0002 <> {%/a} 00]
        A < 90[0002 <> 00]
        A < 31[{%/a} <> 'kept']
        B > 34[{%/a} 0002 <> 'x']
        A < 30[{%/a} <> 'x']
        A ping
        """
    static let lowerOfTheQoS = """
        A connect
        A > 82[0001 <> {%/0} 00 {%/1} 01 {%/2} 02]
        A < 90[0001 <> 00 01 02]
        B connect
        B > 34[{%/0} 0001 <> 'a'] 34[{%/1} 0002 <> 'b'] 32[{%/2} 0003 <> 'c'] 30[{%/2} <> 'd'] 34[{%/2} 0004 <> 'e']
        A < 30[{%/0} <> 'a'] & 32[{%/1} .. .. <> 'b'] & 32[{%/2} .. .. <> 'c'] & 30[{%/2} <> 'd'] & 34[{%/2} .. .. <> 'e']
        A ping
        """
    static let unsubscribing = """
        A connect
        A > 82[0001 <> {%/a/#} 00 {%/a/+} 00 {%/b} 00]
        A < 90[0001 <> 00 00 00]
        A > A2[0002 <> {%/a/+} {%/A/#} {%/a/b}]
        A < B0[0002 <> (00 11 11)]
        B connect
        B > 30[{%/a/b} <> '1']
        A < 30[{%/a/b} <> '1']
        A ping
        A > A2[0003 <> {%/a/#} {%/b}]
        A < B0[0003 <> (00 00)]
        B > 30[{%/a/b} <> '2'] 30[{%/b} <> '3']
        B ping
        A ping
        """
    static let unsubscribingCompletes = """
        A connect
        A > 82[0001 <> {%/a} 02]
        A < 90[0001 <> 02]
        B connect
        B > 34[{%/a} 0001 <> '1'] 32[{%/a} 0002 <> '2']
        A < 34[{%/a} 0001 <> '1'] & 32[{%/a} 0002 <> '2']
        A > A2[0002 <> {%/a}]
        A < B0[0002 <> (00)]
        A > 40[0002] 50[0001]
        A < 62[0001]
        A > 70[0001]
        A ping
        """
    static let unsubscribingNothing = """
        A connect
        A > A2[1234 <> {%/a}]
        A < B0[1234 <> (11)]
        """
    static let exactlyOnceIn = """
        A connect
        A > 82[0001 <> {%/a} 00]
        A < 90[0001 <> 00]
        B persistent
        B > 34[{%/a} 0001 <> '1']
        B < 50[0001]
        A < 30[{%/a} <> '1']
        B > 3C[{%/a} 0001 <> '1']
        B < 50[0001]
        B cut
        B resume
        B > 3C[{%/a} 0001 <> '1']
        B < 50[0001]
        A ping
        B > 62[0001]
        B < 70[0001]
        B > 34[{%/a} 0001 <> '2']
        B < 50[0001]
        A < 30[{%/a} <> '2']
        A ping
        """
    static let atLeastOnceIn = """
        A connect
        A > 82[0001 <> {%/a} 00]
        A < 90[0001 <> 00]
        B connect
        B > 32[{%/a} 0001 <> '1']
        B < 40[0001]
        A < 30[{%/a} <> '1']
        B > 3A[{%/a} 0001 <> '1']
        B < 40[0001]
        A < 30[{%/a} <> '1']
        """
    static let inOrder = """
        A connect
        A > 82[0001 <> {%/#} 02]
        A < 90[0001 <> 02]
        B connect
        B > 32[{%/a} 0001 <> '1'] 32[{%/b} 0002 <> '2'] 32[{%/a} 0003 <> '3'] 32[{%/a} 0004 <> '4']
        A < 32[{%/a} 0001 <> '1']
        A < 32[{%/b} 0002 <> '2']
        A < 32[{%/a} 0003 <> '3']
        A < 32[{%/a} 0004 <> '4']
        B < 40[0001]
        B < 40[0002]
        B < 40[0003]
        B < 40[0004]
        B > 34[{%/a} 0001 <> '5'] 34[{%/a} 0002 <> '6']
        A < 34[{%/a} 0005 <> '5']
        A < 34[{%/a} 0006 <> '6']
        B < 50[0001]
        B < 50[0002]
        A > 50[0005] 50[0006]
        A < 62[0005]
        A < 62[0006]
        """
    static let addedToEverySession = """
        A persistent
        A > 82[0001 <> {%/+} 01]
        A < 90[0001 <> 01]
        B persistent
        B > 82[0001 <> {%/#} 01]
        B < 90[0001 <> 01]
        A leave
        C connect
        C > 32[{%/a} 0001 <> '1'] 32[{%/a/b} 0002 <> '2']
        C < 40[0001] & 40[0002]
        B < 32[{%/a} 0001 <> '1']
        B < 32[{%/a/b} 0002 <> '2']
        A resume
        A < 32[{%/a} 0001 <> '1']
        A ping
        """
    static let dollarTopics = """
        A connect
        A > 82[0001 <> {#} 00 {+/broker/version} 00 {$SYS/broker/version} 00]
        A < 90[0001 <> 00 00 00]
        """
    static let names = """
        A connect
        A > 82[0001 <> {%/} 00 {%/\\cc\\81} 00 {%/\\c3\\a9} 00 {%/ a} 00 {%//} 00]
        A < 90[0001 <> 00 00 00 00 00]
        B connect
        B > 30[{%/e\\cc\\81} <> '0'] 30[{%/\\c3\\a9} <> '1'] 30[{%/a} <> '2'] 30[{%/ a} <> '3'] 30[{%} <> '4'] 30[{%/} <> '5'] 30[{%//} <> '6']
        A < 30[{%/\\c3\\a9} <> '1']
        A < 30[{%/ a} <> '3']
        A < 30[{%/} <> '5']
        A < 30[{%//} <> '6']
        A ping
        """
    static let longestNames = """
        A connect
        A > 82[0001 <> ffff '%' 'a'*65500 'b'*30 00]
        A < 90[0001 <> 00]
        A > 30[ffff '%' 'a'*65500 'b'*30 <> 'x']
        A < 30[ffff '%' 'a'*65500 'b'*30 <> 'x']
        """
}
