import MQTT

/// An access control list in mosquitto's format: `user NAME`, `topic [read|write|readwrite|deny] FILTER` and
/// `pattern [...] FILTER` with %u and %c. Rules before the first `user` are for clients without one; patterns are for
/// everybody, wherever they stand.
struct AccessList: Sendable {
    private(set) var anonymous: [AccessRule] = []
    private(set) var users: [[UInt8]: [AccessRule]] = [:]
    private(set) var patterns: [AccessRule] = []
    private(set) var problems: [FileProblem] = []

    private struct Problem: Error { let text: String }

    init(_ bytes: [UInt8], path: String) {
        var user: [UInt8]?
        for (number, line) in lines(of: bytes) where line.first != UInt8(ascii: "#") {
            let words = line.trimmed()
            if words.isEmpty { continue }
            do throws(Problem) {
                let (word, rest) = Self.split(words)
                switch text(word) {
                case "user":
                    guard !rest.isEmpty else { throw Problem(text: "user without a name") }
                    user = Array(rest)
                case "topic":
                    let rule = try Self.rule(rest)
                    if let user { users[user, default: []].append(rule) } else { anonymous.append(rule) }
                case "pattern":
                    patterns.append(try Self.rule(rest))
                default:
                    throw Problem(text: "\(shown(word)) is none of user, topic, pattern")
                }
            } catch {
                problems.append(FileProblem(path, line: number, error.text))
            }
        }
        anonymous = anonymous.ordered()
        users = users.mapValues { $0.ordered() }
        patterns = patterns.ordered()
    }

    /// The first word, and what follows it without the blanks around.
    private static func split(_ words: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, ArraySlice<UInt8>) {
        guard let blank = words.firstIndex(where: { $0 == 0x20 || $0 == 0x09 }) else { return (words, []) }
        return (words[..<blank], words[blank...].trimmed())
    }

    /// As mosquitto reads it: with more than one word, the first is the kind of access, and a filter may hold blanks.
    private static func rule(_ words: ArraySlice<UInt8>) throws(Problem) -> AccessRule {
        guard !words.isEmpty else { throw Problem(text: "no topic") }
        let (first, rest) = split(words)
        guard !rest.isEmpty else { return try rule(.readWrite, words) }
        switch text(first) {
        case "read": return try rule(.read, rest)
        case "write": return try rule(.write, rest)
        case "readwrite": return try rule(.readWrite, rest)
        case "deny": return try rule(.deny, rest)
        default:
            throw Problem(
                text:
                    "\(shown(first)) is none of read, write, readwrite, deny (a topic with blanks needs one in front)"
            )
        }
    }

    private static func rule(_ kind: AccessRule.Kind, _ filter: ArraySlice<UInt8>) throws(Problem) -> AccessRule {
        let isFilter = filter.withUnsafeBytes { bytes in
            guard let filter = try? TopicFilter(bytes) else { return false }
            return !filter.isShared
        }
        guard isFilter else { throw Problem(text: "\(shown(filter)) is not a topic filter") }
        return AccessRule(kind, filter)
    }

    /// The patterns for one client; nil where its names would act as wildcards: then no pattern holds for it.
    func patterns(userName: [UInt8], clientIdentifier: [UInt8]) -> [AccessRule]? {
        func isWild(_ name: [UInt8]) -> Bool { name.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") } }
        guard !isWild(userName), !isWild(clientIdentifier) else { return nil }
        return patterns.compactMap { pattern in
            Self.filled(pattern.filter, userName, clientIdentifier).map { AccessRule(pattern.kind, $0) }
        }
    }

    /// nil: it asks for a user name, and there is none.
    private static func filled(_ filter: [UInt8], _ userName: [UInt8], _ clientIdentifier: [UInt8]) -> [UInt8]? {
        guard filter.contains(UInt8(ascii: "%")) else { return filter }
        var result: [UInt8] = []
        var index = 0
        while index < filter.count {
            let next = index + 1 < filter.count ? filter[index + 1] : 0
            switch (filter[index], next) {
            case (UInt8(ascii: "%"), UInt8(ascii: "u")):
                if userName.isEmpty { return nil }
                result += userName
                index += 2
            case (UInt8(ascii: "%"), UInt8(ascii: "c")):
                result += clientIdentifier
                index += 2
            default:
                result.append(filter[index])
                index += 1
            }
        }
        return result
    }
}
