import Foundation
import Testing

/// `make mutate` takes long and is run seldom: here only that each of its mutations still has something to break.
struct MutationTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    @Test func everyMutationFindsItsTextOnce() throws {
        let folder = Self.root.appending(path: "Tests/Simulation/Mutations")
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        let mutations = files.filter { $0.pathExtension == "mutation" }

        #expect(mutations.count >= 15)
        for mutation in mutations {
            let text = try String(contentsOf: mutation, encoding: .utf8)
            let parts = text.components(separatedBy: "<<<<\n")
            let file = try #require(parts[0].split(separator: "\n").last)
            let old = try #require(parts.last?.components(separatedBy: "\n====\n").first)
            let source = try String(contentsOf: Self.root.appending(path: String(file)), encoding: .utf8)

            #expect(source.components(separatedBy: old).count == 2, "\(mutation.lastPathComponent)")
        }
    }
}
