import Glibc
import Store
import Testing

@testable import roost

/// What is where the database should be, and is none: said as what it is, and left alone.
@Suite struct StoreCheckTests {
    enum Place: String, CaseIterable {
        case missing, noDirectory, empty, text, directory, otherProgram, newer

        func make(in data: String) throws {
            let file = "\(data)/roost.db"
            switch self {
            case .missing, .noDirectory: break
            case .empty: try write([], to: file)
            case .text: try write(Array(String(repeating: "This is a letter. ", count: 500).utf8), to: file)
            case .directory: #expect(mkdir(file, 0o700) == 0)
            case .otherProgram:
                // A database of SQLite's, without a table.
                var bytes = Array("SQLite format 3\0".utf8) + [16, 0, 1, 1, 0, 64, 32, 32]
                bytes += [UInt8](repeating: 0, count: 4096 - bytes.count)
                try write(bytes, to: file)
            case .newer:
                try Database.open(path: data).close()
                let descriptor = open(file, O_RDWR)
                defer { close(descriptor) }
                #expect(pwrite(descriptor, [UInt8]([0, 0, 0x7F, 0]), 4, 60) == 4)
            }
        }

        /// A part of the message.
        var text: String {
            switch self {
            case .missing: "No such file or directory. Name the data directory with --data."
            case .noDirectory: "Not a directory. Name the data directory with --data."
            case .empty: "is empty: nothing was ever stored there, or it was lost"
            case .text: "is not a Roost database"
            case .directory: "is a directory, not a database"
            case .otherProgram: "roost.db"
            case .newer: "was written by a newer Roost (schema 32512"
            }
        }

        private func write(_ bytes: [UInt8], to path: String) throws {
            let file = try #require(fopen(path, "w"))
            defer { fclose(file) }
            #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        }
    }

    @Test(arguments: Place.allCases, ["check", "repair", "compact"])
    func whatIsNoDatabaseIsNamed(place: Place, command: String) throws {
        var template = Array("/tmp/roost-check-XXXXXX".utf8CString)
        let directory = try String(cString: #require(mkdtemp(&template)))
        defer { Files.removeAll(directory) }
        let data = place == .noDirectory ? "/etc/hostname" : directory
        try place.make(in: directory)
        let before = Files.read("\(directory)/roost.db")

        let failure = #expect(throws: Failure.self) {
            switch command {
            case "check": try StoreCommand.Check.parse(["--data", data]).run()
            case "repair": try StoreCommand.Repair.parse(["--data", data]).run()
            default: try StoreCommand.Compact.parse(["--data", data]).run()
            }
        }

        #expect(failure?.code == .refused)
        #expect(failure?.message.contains(place.text) == true, "\(failure?.message ?? "")")
        #expect(Files.read("\(directory)/roost.db") == before)
    }
}
