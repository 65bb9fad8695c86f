/// A password file in mosquitto's format: lines of `name:hash`. Lines that begin with `#`, and empty ones, are passed over.
public struct PasswordFile {
    public private(set) var hashes: [[UInt8]: PasswordHash] = [:]
    public private(set) var problems: [FileProblem] = []

    private static let longestName = 65_535

    /// Reads all lines; `problems` has those that can't be used.
    public init(_ bytes: [UInt8], path: String) {
        for (number, line) in lines(of: bytes) where line.first != UInt8(ascii: "#") && !line.trimmed().isEmpty {
            do throws(PasswordHash.Problem) {
                let (name, hash) = try Self.entry(line)
                guard hashes.updateValue(hash, forKey: name) == nil else {
                    throw PasswordHash.Problem(text: "user \(text(name)) stands in an earlier line too")
                }
            } catch {
                problems.append(FileProblem(path, line: number, error.text))
            }
        }
    }

    private static func entry(_ line: ArraySlice<UInt8>) throws(PasswordHash.Problem) -> ([UInt8], PasswordHash) {
        func problem(_ text: String) -> PasswordHash.Problem { PasswordHash.Problem(text: text) }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw problem("not NAME:HASH, there is no colon")
        }
        let name = line[..<colon].trimmed()
        guard !name.isEmpty else { throw problem("a line without a user name") }
        guard name.count <= longestName, name.isText else { throw problem("a user name that is not UTF-8") }
        let hash = line[(colon + 1)...].trimmed()
        guard !hash.isEmpty else { throw problem("user \(text(name)) has no password hash") }
        // The text itself may be a password in the clear, and is not repeated.
        return (Array(name), try PasswordHash(hash))
    }

    // MARK: - Changing

    /// nil, or why a name can't stand in such a file.
    public static func problem(ofName name: String) -> String? {
        if name.isEmpty { return "a user name may not be empty" }
        if name.utf8.count > longestName { return "a user name has at most \(longestName) bytes" }
        if name.contains(":") { return "a user name may not contain \":\"" }
        if name.utf8.first == UInt8(ascii: "#") { return "a user name that begins with # would be a comment" }
        if name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
            return "a user name may not contain control characters"
        }
        if ArraySlice(name.utf8).trimmed().count != name.utf8.count {
            return "a user name may not begin or end with a blank"
        }
        return nil
    }

    /// The file's text with the user's line replaced, added, or (nil) removed; everything else stays as it is. The second
    /// is false when there was no such user.
    public static func replacing(_ name: String, by hash: PasswordHash?, in bytes: [UInt8]) -> ([UInt8], wasThere: Bool)
    {
        var result: [UInt8] = []
        var wasThere = false
        let entry = hash.map { Array("\(name):\($0.text)\n".utf8) } ?? []
        var kept = bytes
        if let last = kept.last, last != 0x0A { kept.append(0x0A) }
        for line in kept.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast() {
            let isOwn =
                line.first != UInt8(ascii: "#")
                && line.firstIndex(of: UInt8(ascii: ":")).map { line[..<$0].trimmed().elementsEqual(name.utf8) } == true
            guard isOwn else {
                result += line
                result.append(0x0A)
                continue
            }
            if !wasThere { result += entry }
            wasThere = true
        }
        if !wasThere { result += entry }
        return (result, wasThere)
    }
}
