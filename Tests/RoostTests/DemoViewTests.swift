import MQTT
import Testing

@testable import roost

@Suite struct DemoViewTests {
    static func snapshot(_ act: Scenario.Act) -> Snapshot {
        var now = Snapshot()
        now.act = act
        now.elapsed = 12.4
        now.planned = 36
        now.sensors = 20
        now.sensorsConnected = 20
        now.edgeIsUp = true
        now.publishRate = 186.4
        now.arrivalRate = 1_200
        now.wireRate = 12_345
        now.totals.published = 1_234_567
        now.totals.acknowledged = 1_234_567
        now.totals.arrived = 1_234_567
        now.waiting = 1_204
        now.waitingBytes = 250_000
        now.waitingOldest = 4.8
        now.wireBytes = 41_000
        now.plainBytes = 512_000
        now.diskBytes = 1_300_000
        now.kills = 1
        now.cuts = 1
        now.cutSeconds = 16.2
        now.history = Array(0..<300)
        return now
    }

    static let acts: [Scenario.Act] = [.starting, .flowing, .cut, .killed, .restored, .draining, .playing]

    @Test(arguments: acts, [40, 60, 80, 100, 250])
    func everyLineFitsTheWidth(act: Scenario.Act, width: Int) {
        var now = Self.snapshot(act)
        for (up, cut) in [(true, false), (true, true), (false, true), (false, false)] {
            now.edgeIsUp = up
            now.linkIsCut = cut

            for line in View(now, width: width, glyphs: .unicode).lines() {
                #expect(line.rendered(width: width, coloured: false).count <= width)
            }
        }
    }

    @Test(arguments: acts, [60, 80, 100])
    func thePictureHasAllThreePlaces(act: Scenario.Act, width: Int) {
        let picture = View(Self.snapshot(act), width: width, glyphs: .ascii).lines()[3].text

        #expect(picture.contains("sensors") && picture.contains("edge") && picture.hasSuffix("cloud"))
        #expect(picture.count <= width)
    }

    @Test func aCutLinkIsSeen() {
        var now = Self.snapshot(.cut)
        now.linkIsCut = true

        let text = View(now, width: 80, glyphs: .ascii).lines().map(\.text)

        #expect(text[3].contains("cut") && text[3].contains("X cloud"))
        #expect(text.contains { $0.contains("2 of 5  The link is cut. 1,204 messages wait at the edge.") })
        #expect(text.contains { $0.contains("244 KiB, the oldest for 5 s") })
    }

    @Test func asciiGlyphsAreASCII() {
        for line in View(Self.snapshot(.restored), width: 90, glyphs: .ascii).lines() {
            #expect(line.text.utf8.allSatisfy { $0 < 0x80 })
        }
    }

    @Test func colourTakesNoColumns() {
        var line = StyledLine("ab", .green)
        line.add("cdef", .red)

        #expect(line.width == 6)
        #expect(line.rendered(width: 4, coloured: false) == "abcd")
        #expect(line.rendered(width: 4, coloured: true) == "\u{1B}[32mab\u{1B}[0m\u{1B}[31mcd\u{1B}[0m")
    }

    @Test(
        arguments: [
            ("", 10, []), ("one two three", 7, ["one two", "three"]), ("immovable", 4, ["immovable"]),
            ("a b c", 1, ["a", "b", "c"]),
        ] as [(String, Int, [String])])
    func wrapping(text: String, width: Int, lines: [String]) {
        #expect(text.wrapped(width: width) == lines)
    }

    @Test func theVerdictSaysWhatHappened() {
        let verdict = Narration.verdict(Self.snapshot(.draining))

        #expect(verdict.contains("Nothing was lost: 1,234,567 messages acknowledged"))
        #expect(verdict.contains("cut for 16 s and the edge was killed"))
        #expect(verdict.contains("12 times as much"))
    }

    @Test func theVerdictHidesNothing() {
        var end = Self.snapshot(.draining)
        end.totals.missing = 1
        end.totals.outOfOrder = 2

        let verdict = Narration.verdict(end)

        #expect(verdict.contains("1 acknowledged message did not arrive, 2 messages came out of order"))
        #expect(!verdict.contains("Nothing was lost"))
    }

    @Test func theDocumentHasItsKeys() {
        let document = DemoDocument(Self.snapshot(.draining), seconds: 41.25).json

        #expect(
            document.hasPrefix(#"{"ok":true,"published":1234567,"acknowledged":1234567,"arrived":1234567,"missing":0,"#)
        )
        #expect(document.hasSuffix(#""wire_bytes":41000,"plain_wire_bytes":512000,"seconds":41.3}"#))
    }
}
