import Glibc

/// A file of the access rules, read whole.
struct RuleFile {
    let bytes: [UInt8]
    /// Everybody on the machine may read it.
    let isOpenToAll: Bool

    private static let maximumBytes = 16 << 20

    init(_ path: String) throws(FileProblem) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.problem(path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.problem(path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileProblem(path, "is not a file") }
        isOpenToAll = status.st_mode & S_IROTH != 0
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Self.problem(path) }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= Self.maximumBytes else {
                throw FileProblem(path, "is larger than \(Self.maximumBytes >> 20) MiB")
            }
        }
        self.bytes = bytes
    }

    private static func problem(_ path: String) -> FileProblem {
        FileProblem(path, "cannot be read: \(String(cString: strerror(errno)))")
    }
}

/// The lines of a text file with their numbers, without line ends.
func lines(of bytes: [UInt8]) -> [(number: Int, bytes: ArraySlice<UInt8>)] {
    bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated().map { index, line in
        (index + 1, line.last == 0x0D ? line.dropLast() : line)
    }
}

extension ArraySlice<UInt8> {
    /// Without the blanks around.
    func trimmed() -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = firstIndex(where: { !isBlank($0) }), let last = lastIndex(where: { !isBlank($0) }) else {
            return []
        }
        return self[first...last]
    }

    /// Well-formed UTF-8, as MQTT has it: without U+0000.
    var isText: Bool { !contains(0) && String(validating: self, as: UTF8.self) != nil }
}

/// A piece of a file as it may stand in a message: the file may be another than was meant, and not even text.
func shown(_ bytes: ArraySlice<UInt8>) -> String {
    let isShort = bytes.count <= 60 && !bytes.contains { $0 < 0x20 || $0 == 0x7F }
    return isShort && bytes.isText ? "\"\(text(bytes))\"" : "what stands here"
}

func text(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
