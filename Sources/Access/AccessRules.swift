/// Where the rules come from: `[access]`, with files by their paths.
public struct AccessSource: Sendable, Equatable {
    /// One `[[access.user]]`.
    public struct User: Sendable, Equatable {
        public var name: String
        /// A hash; empty: none here.
        public var password: String
        public var publish: [String]
        public var subscribe: [String]

        public init(name: String, password: String = "", publish: [String] = [], subscribe: [String] = []) {
            self.name = name
            self.password = password
            self.publish = publish
            self.subscribe = subscribe
        }
    }

    /// Empty: none.
    public var passwordFile = ""
    public var listFile = ""
    public var users: [User] = []
    public var tokens: TokenRules.Source?

    public init() {}
}

/// What is wrong with the rules, all of it, each by the setting that it is about.
public struct AccessProblems: Error, Equatable, Sendable {
    /// `setting` without the table: "acl_file", "user.2.password".
    public var problems: [(setting: String, text: String)]

    public static func == (a: Self, b: Self) -> Bool { a.problems.elementsEqual(b.problems, by: ==) }
}

/// Who the users are and what they may do, as read at one time. Never changes: a reload makes other ones.
public final class AccessRules: Sendable {
    let passwords: [[UInt8]: PasswordHash]
    /// Of `[[access.user]]`.
    private let users: [[UInt8]: [AccessRule]]
    private let list: AccessList?
    let tokens: TokenRules?
    /// What a person should know, each by its setting.
    public let warnings: [(setting: String, text: String)]
    /// The most that any password takes: so long takes every check of one.
    let work: PasswordWork
    /// What most verifiers for SCRAM look like; nil: there are none, and no such login.
    let scramShape: ScramShape?

    /// Reads and checks everything.
    public init(_ source: AccessSource) throws(AccessProblems) {
        var reading = Reading()
        passwords = reading.passwords(source)
        users = Dictionary(
            source.users.map { user in
                let rules =
                    user.publish.map { AccessRule(.write, $0.utf8) } + user.subscribe.map { AccessRule(.read, $0.utf8) }
                return (Array(user.name.utf8), rules)
            }, uniquingKeysWith: { $0 + $1 })
        list = reading.list(source)
        tokens = reading.tokens(source)
        warnings = reading.warnings
        work = PasswordWork(most: passwords.values)
        scramShape = ScramShape(most: passwords.values)
        knowsLogins =
            !source.passwordFile.isEmpty || source.users.contains { !$0.password.isEmpty } || source.tokens != nil
        guard reading.problems.isEmpty else { throw AccessProblems(problems: reading.problems) }
    }

    /// A login is possible: whoever gives a name must show that it is theirs.
    let knowsLogins: Bool

    /// There is a rule about topics: from then on, what no rule allows is denied.
    private var hasRules: Bool { list != nil || !users.isEmpty }

    /// - Parameter granted: by a token; nil: the client has none, or tokens say nothing of topics.
    /// - Returns: nil: everything.
    func rights(userName: [UInt8], clientIdentifier: [UInt8], granted: [AccessRule]?) -> RuledRights? {
        guard hasRules || granted != nil else { return nil }
        var own = userName.isEmpty ? list?.anonymous ?? [] : list?.users[userName] ?? []
        own += users[userName] ?? []
        own += granted ?? []
        return RuledRights([own, list?.patterns(userName: userName, clientIdentifier: clientIdentifier) ?? []])
    }

    /// What reading has found.
    private struct Reading {
        var problems: [(setting: String, text: String)] = []
        var warnings: [(setting: String, text: String)] = []

        mutating func read(_ path: String, _ setting: String, isSecret: Bool = true) -> [UInt8]? {
            do throws(FileProblem) {
                let file = try RuleFile(path)
                if isSecret, file.isOpenToAll {
                    warnings.append((setting, "\(path): everybody on this machine can read it (chmod o-r \(path))"))
                }
                return file.bytes
            } catch {
                problems.append((setting, "\(error)"))
                return nil
            }
        }

        mutating func passwords(_ source: AccessSource) -> [[UInt8]: PasswordHash] {
            var hashes: [[UInt8]: PasswordHash] = [:]
            if !source.passwordFile.isEmpty, let bytes = read(source.passwordFile, "password_file") {
                let file = PasswordFile(bytes, path: source.passwordFile)
                hashes = file.hashes
                problems += file.problems.map { ("password_file", "\($0)") }
            }
            for (index, user) in source.users.enumerated() where !user.password.isEmpty {
                do throws(PasswordHash.Problem) {
                    guard hashes.updateValue(try PasswordHash(user.password), forKey: Array(user.name.utf8)) == nil
                    else {
                        throw PasswordHash.Problem(text: "\(user.name) has a password elsewhere too; keep one of them")
                    }
                } catch {
                    problems.append(("user.\(index).password", error.text))
                }
            }
            return hashes
        }

        mutating func list(_ source: AccessSource) -> AccessList? {
            guard !source.listFile.isEmpty, let bytes = read(source.listFile, "acl_file", isSecret: false) else {
                return nil
            }
            let list = AccessList(bytes, path: source.listFile)
            problems += list.problems.map { ("acl_file", "\($0)") }
            return list
        }

        mutating func tokens(_ source: AccessSource) -> TokenRules? {
            guard let tokens = source.tokens, let bytes = read(tokens.keyFile, "jwt.key_file", isSecret: false) else {
                return nil
            }
            do throws(FileProblem) {
                let rules = try TokenRules(tokens, keys: bytes)
                // A public key is nobody's secret.
                if rules.hasSecret { _ = read(tokens.keyFile, "jwt.key_file") }
                return rules
            } catch {
                problems.append(("jwt.key_file", "\(error)"))
                return nil
            }
        }
    }
}
