import Glibc

/// A file of bind keys: "ADDRESS HEXKEY" a line; blank lines and lines that begin with `#` don't count.
package struct KeysFile: Equatable {
    package private(set) var keys: [DeviceAddress: BindKey] = [:]
    /// Everything that is wrong with it, without ever a key.
    package private(set) var problems: [String] = []

    private static let largest = 1 << 20

    package init(_ bytes: [UInt8]) {
        for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let words = line.split { [0x20, 0x09, 0x0D].contains($0) }.map { String(decoding: $0, as: UTF8.self) }
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            if let problem = add(words) { problems.append("line \(index + 1): \(problem)") }
        }
    }

    private mutating func add(_ words: [String]) -> String? {
        guard words.count == 2 else { return "is not an address and a key" }
        guard let address = DeviceAddress(parsing: words[0]) else {
            return "\"\(words[0].prefix(40))\" is not an address (A4:C1:38:00:11:22)"
        }
        guard let key = Hexadecimal.bytes(words[1]).flatMap({ BindKey($0) }) else {
            return "the key of \(address) is not 32 hexadecimal digits"
        }
        guard keys[address] == nil else { return "\(address) has a key already" }
        keys[address] = key
        return nil
    }

    package struct Unreadable: Error {
        package var message: String
    }

    /// - Returns: the file, and whether everybody on this machine may read it.
    package static func read(_ path: String) throws(Unreadable) -> (file: KeysFile, isOpenToAll: Bool) {
        func unreadable(_ code: Int32) -> Unreadable { Unreadable(message: String(cString: strerror(code))) }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw unreadable(errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Unreadable(message: "is not a file") }
        guard status.st_size <= largest else { throw Unreadable(message: "is larger than 1 MiB") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreadable(errno) }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return (KeysFile(bytes), status.st_mode & S_IROTH != 0)
    }
}
