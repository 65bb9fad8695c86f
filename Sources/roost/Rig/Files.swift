import Glibc

/// The few things that the demo and the proof do with files.
enum Files {
    /// A new directory, on a real disk if there is one: writing to memory would show nothing of what a disk does.
    static func makeDirectory(under chosen: String?) throws -> (path: String, isOnDisk: Bool) {
        let usual = ["/var/tmp", environment("TMPDIR"), environment("HOME"), "/tmp"].compactMap { $0 }
        return try makeDirectory(in: chosen.map { [$0] } ?? usual.filter(isOnDisk) + usual, for: "demo")
    }

    /// - Parameter purpose: the word in its name.
    static func makeDirectory(in candidates: [String], for purpose: String) throws -> (path: String, isOnDisk: Bool) {
        for candidate in candidates {
            var template = Array("\(candidate)/roost-\(purpose)-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { continue }
            let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return (path, isOnDisk(candidate))
        }
        throw Failure.refused(
            "no directory for the \(purpose)'s data: \(candidates.joined(separator: ", ")) can't be written. Try --dir PATH"
        )
    }

    /// Whether the file system that holds `path` lives anywhere but in memory, as far as the kernel says (proc(5), mountinfo).
    static func isOnDisk(_ path: String) -> Bool {
        var information = stat()
        guard stat(path, &information) == 0 else { return false }
        let device = "\(DeviceNumber(information.st_dev))"
        for line in (read("/proc/self/mountinfo") ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 2, words[2] == device, let dash = words.firstIndex(of: "-") else { continue }
            return !["tmpfs", "ramfs"].contains(words[(dash + 1)...].first)
        }
        return true
    }

    static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return String(decoding: all, as: UTF8.self) }
            all.append(contentsOf: chunk[..<count])
        }
    }

    /// A directory and all in it; links are removed, not followed.
    static func removeAll(_ path: String) {
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                guard name != ".", name != ".." else { continue }
                let inner = "\(path)/\(name)"
                if entry.pointee.d_type == UInt8(DT_DIR) { removeAll(inner) } else { unlink(inner) }
            }
            closedir(directory)
        }
        rmdir(path)
    }

    static func environment(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }
}
