import Glibc
import Testing

/// `docs/conformance.md` and the tests' names say the same.
struct DocumentTests {
    private struct Row {
        let statement: Substring
        let how: Substring
    }

    @Test(arguments: [("MQTT 5", "V5", 251), ("MQTT 3.1.1", "V311", 141)])
    func theTableListsTheTests(title: String, folder: String, statements: Int) throws {
        let rows = Self.rows(below: title)
        let names = try Self.testNames(in: folder)

        #expect(rows.count == statements)
        #expect(Set(rows.map(\.statement)).count == rows.count)
        #expect(Set(rows.filter { $0.how == "tested" }.map { String($0.statement) }) == names)
        for row in rows where row.how.hasPrefix("with ") {
            #expect(names.contains(String(row.how.dropFirst("with ".count))), "\(row.statement)")
        }
    }

    private static func rows(below title: String) -> [Row] {
        let document = text(of: "\(Programs.package)/docs/conformance.md")
        let lines = document.split(separator: "\n", omittingEmptySubsequences: false)
        let table = lines.drop { $0 != "## \(title)" }.dropFirst().prefix { !$0.hasPrefix("## ") }
        return table.filter { $0.hasPrefix("| MQTT-") }.map {
            let cells = $0.split(separator: " | ")
            return Row(statement: cells[0].dropFirst(2), how: cells[cells.count - 1].dropLast(2))
        }
    }

    /// Of the functions in a folder's files: what stands between the backticks.
    private static func testNames(in folder: String) throws -> Set<String> {
        let path = "\(Programs.package)/Tests/Conformance/\(folder)"
        let listing = try #require(opendir(path))
        defer { closedir(listing) }
        var names: Set<String> = []
        while let entry = readdir(listing) {
            let file = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard file.hasSuffix(".swift") else { continue }
            for line in text(of: "\(path)/\(file)").split(separator: "\n") {
                let words = line.split(separator: "`")
                if words.count == 3, words[0].hasSuffix("@Test func ") { names.insert(String(words[1])) }
            }
        }
        return names
    }
}
