import Testing

@testable import roost

@Suite struct GlobalOptionsTests {
    static let cases: [(given: String, moved: String)] = [
        ("status", "status"),
        ("--socket a.sock status", "status --socket a.sock"),
        ("--socket=a.sock --json uplink pause cloud", "uplink pause cloud --socket=a.sock --json"),
        ("--url mqtt://h pub -t a -- -m", "pub -t a --url mqtt://h -- -m"),
        ("--help", "--help"),
        ("--json", "--json"),
        ("--socket", "--socket"),
        ("--version --json", "--version --json"),
    ]

    @Test(arguments: cases)
    func optionsBeforeTheCommandAreItsOwn(_ given: String, _ moved: String) {
        let arguments = given.split(separator: " ").map(String.init)

        #expect(GlobalOptions.moved(arguments).joined(separator: " ") == moved)
    }
}
