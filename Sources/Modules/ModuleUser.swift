import EventLoop
import Glibc

/// A user of the system that a module runs as.
struct ModuleUser: Equatable {
    let user: uid_t
    let group: gid_t
    /// All of its groups.
    let groups: [gid_t]
    let home: String

    /// There is no such user, or the system can't say.
    struct Unknown: Error, CustomStringConvertible {
        let description: String
    }

    /// nil: the user that this process runs as already, whose rights need no change.
    static func find(_ name: String) throws(Unknown) -> ModuleUser? {
        guard !name.isEmpty else { return nil }
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        let result = getpwnam_r(name, &entry, &buffer, buffer.count, &found)
        guard result == 0, found != nil else {
            throw Unknown(description: result == 0 ? "there is no user \(name) here" : "\(name): \(errorText(result))")
        }
        guard entry.pw_uid != geteuid() else { return nil }
        var groups = [gid_t](repeating: 0, count: 256)
        var count = Int32(groups.count)
        if getgrouplist(name, entry.pw_gid, &groups, &count) < 0 {
            groups = [gid_t](repeating: 0, count: Int(count))
            getgrouplist(name, entry.pw_gid, &groups, &count)
        }
        return ModuleUser(
            user: entry.pw_uid, group: entry.pw_gid, groups: Array(groups.prefix(Int(count))),
            home: String(cString: entry.pw_dir))
    }
}

/// errno's value in words: "Permission denied".
func errorText(_ number: Int32) -> String { SystemError(number: number, call: "").text }
