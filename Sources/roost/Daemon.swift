import Glibc

/// The roostd that belongs to this roost.
enum Daemon {
    /// $ROOSTD, else beside this program, else wherever PATH finds it.
    static var program: String {
        if let chosen = Files.environment("ROOSTD") { return chosen }
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return "roostd" }
        let own = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let beside = own[..<(own.lastIndex(of: "/") ?? own.startIndex)] + "/roostd"
        return access(String(beside), X_OK) == 0 ? String(beside) : "roostd"
    }

    /// Becomes roostd; returns only what went wrong.
    static func replaceThisProcess(with arguments: [String]) -> Failure {
        let program = program
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        signal(SIGPIPE, SIG_DFL)
        execvp(program, words)
        let error = errno
        for word in words { free(word) }
        return .refused("cannot start \(program): \(String(cString: strerror(error))). Is roostd installed?")
    }
}
