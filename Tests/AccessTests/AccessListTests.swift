import MQTT
import Testing

@testable import Access
@testable import Broker

/// Access control lists as mosquitto reads them.
@Suite struct AccessListTests {
    private func rights(_ file: String, user: String = "", client: String = "c") -> RuledRights {
        let list = AccessList(Array(file.utf8), path: "acl")
        #expect(list.problems == [])
        let name = Array(user.utf8)
        return RuledRights([
            name.isEmpty ? list.anonymous : list.users[name] ?? [],
            list.patterns(userName: name, clientIdentifier: Array(client.utf8)) ?? [],
        ])
    }

    /// "rw", "r", "w" or "": what the rights allow of a topic.
    private func allowed(_ rights: RuledRights, _ topic: String) -> String {
        Array(topic.utf8).withUnsafeBytes {
            (rights.mayReceive($0) ? "r" : "") + (rights.mayPublish(to: $0) ? "w" : "")
        }
    }

    private static let file = """
        # for those without a name
        topic read public/#

        user alice
        topic readwrite plant/#
        topic deny plant/secret/#
        topic own
        \ttopic write\tlog/ with blanks
        topic read $SYS/#
        user bob
        topic read +/temperature

        pattern write dev/%c/#
        pattern read home/%u/+
        pattern deny home/bob/private
        user alice
        topic read second/#
        """

    @Test(arguments: [
        ("", "public/1", "r"), ("", "plant/1", ""), ("", "dev/c/1", "w"), ("", "home/", ""), ("", "home//x", ""),
        ("alice", "public/1", ""), ("alice", "plant", "rw"), ("alice", "plant/1/2", "rw"),
        ("alice", "plant/secret", ""),
        ("alice", "plant/secret/1", ""), ("alice", "own", "rw"), ("alice", "log/ with blanks", "w"),
        ("alice", "$SYS/broker/uptime", "r"), ("alice", "second/x", "r"), ("alice", "home/alice/x", "r"),
        ("alice", "home/bob/x", ""), ("alice", "dev/c", "w"), ("alice", "dev/other", ""),
        ("bob", "a/temperature", "r"), ("bob", "$a/temperature", ""), ("bob", "home/bob/x", "r"),
        ("bob", "home/bob/private", ""), ("carl", "home/carl/x", "r"), ("carl", "plant/1", ""),
    ])
    func whoMayWhat(user: String, topic: String, what: String) {
        #expect(allowed(rights(Self.file, user: user), topic) == what)
    }

    /// A user's own rule decides before any pattern does.
    @Test func rulesOfTheUserComeFirst() {
        let rights = rights("pattern deny a/#\nuser u\ntopic a/1\n", user: "u")

        #expect(allowed(rights, "a/1") == "rw")
        #expect(allowed(rights, "a/2") == "")
    }

    @Test(arguments: ["+", "#", "a/+", "x#y"]) func aNameThatWouldBeAWildcardHasNoPatterns(name: String) {
        #expect(allowed(rights("pattern dev/%c/#", client: name), "dev/\(name)/x") == "")
        #expect(allowed(rights("pattern dev/%c/#", client: name), "dev/a/x") == "")
        #expect(allowed(rights("pattern dev/%u/#", user: name), "dev/a/x") == "")
        #expect(allowed(rights("user \(name)\ntopic a\npattern b", user: name), "a") == "rw")
        #expect(allowed(rights("user \(name)\ntopic a\npattern b", user: name), "b") == "")
    }

    @Test func namesInPartsOfLevels() {
        let rights = rights("pattern a-%u-%c/%c/x", user: "u", client: "7")

        #expect(allowed(rights, "a-u-7/7/x") == "rw")
    }

    @Test(arguments: [
        ("topic", "no topic"), ("topic read", ""), ("user", "user without a name"), ("pattern", "no topic"),
        ("topic a b", "none of read, write"), ("topic read a/#/b", "\"a/#/b\" is not a topic filter"),
        ("topic readwrite a#", "not a topic filter"), ("topics a", "none of user, topic, pattern"),
        ("pattern deny +x", "not a topic filter"), ("topic read $share/g/a", "not a topic filter"),
    ])
    func aBadLineIsNamed(line: String, what: String) {
        let list = AccessList(Array("# first\n\ntopic fine\n\(line)\n".utf8), path: "conf/acl")

        // One word is a filter, even where it means something else in front of another.
        #expect(list.problems.count == (what.isEmpty ? 0 : 1))
        guard let problem = list.problems.first?.description else { return }
        #expect(problem.hasPrefix("conf/acl:4: ") && problem.contains(what), "\(problem)")
    }

    /// acl_file may name another file than was meant: what can't be shown isn't.
    @Test func whatIsNoTextIsNotRepeated() {
        let word = String(repeating: "x", count: 70)
        let list = AccessList(Array("\u{1B}[2J\n\(word)\ntopic a\u{7}#\n".utf8) + [0xFF, 0xFE], path: "acl")

        #expect(list.problems.count == 4)
        for problem in list.problems {
            #expect(problem.text.hasPrefix("what stands here is n") && !problem.text.contains("xx"), "\(problem)")
        }
    }

    // MARK: Subscribing

    @Test(arguments: [
        ("alice", "#", true), ("alice", "plant/#", true), ("alice", "plant/+", true), ("alice", "other/#", false),
        ("alice", "plant/secret/#", false), ("alice", "plant/secret", false), ("alice", "plant/secret/+/x", false),
        ("alice", "log/#", false), ("alice", "$SYS/broker/#", true), ("bob", "$SYS/#", false),
        ("bob", "+/temperature", true),
        ("bob", "a/+", true), ("bob", "a/b/#", false), ("", "public/#", true), ("", "plant/#", false),
    ])
    func whatMayBeSubscribedTo(user: String, filter: String, may: Bool) {
        let rights = rights(Self.file, user: user)

        #expect(Array(filter.utf8).withUnsafeBytes { rights.maySubscribe(to: $0) } == may)
    }
}
