import Testing

@testable import Configuration

@Suite struct SpellingTests {
    @Test(arguments: [("bnd", "bind"), ("transprot", "transport"), ("tran", "transport"), ("zzz", nil), ("", nil)])
    func nearestWord(word: String, expected: String?) {
        #expect(Spelling.nearest(to: word, in: ["bind", "transport", "tls"]) == expected)
    }
}
