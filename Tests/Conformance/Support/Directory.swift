import Glibc

/// One test's files, on a real disk; gone with the value.
final class Directory {
    let path: String

    init() throws {
        let parent = environment("TMPDIR") ?? "/tmp"
        var template = Array("\(parent)/roost-e2e-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Failure("no directory in \(parent): errno \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    func path(of name: String) -> String { "\(path)/\(name)" }

    /// Writes a file and returns its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        let file = path(of: name)
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure("cannot write \(file): errno \(errno)") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw Failure("cannot write \(file)") }
        return file
    }

    func make(_ name: String) throws -> String {
        let directory = path(of: name)
        guard mkdir(directory, 0o700) == 0 else { throw Failure("cannot make \(directory): errno \(errno)") }
        return directory
    }

    private static func remove(_ path: String) {
        guard let directory = opendir(path) else {
            unlink(path)
            return
        }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != ".." else { continue }
            var status = stat()
            let inner = "\(path)/\(name)"
            if lstat(inner, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { remove(inner) } else { unlink(inner) }
        }
        closedir(directory)
        rmdir(path)
    }
}

/// The bytes of a file from `offset` on; empty if there is none.
func contents(of path: String, from offset: Int = 0) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, Int(status.st_size) > offset else { return [] }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size) - offset)
    let count = pread(descriptor, &bytes, bytes.count, off_t(offset))
    return Array(bytes.prefix(max(0, count)))
}

func text(of path: String, from offset: Int = 0) -> String {
    String(decoding: contents(of: path, from: offset), as: UTF8.self)
}

/// Bytes; 0 if there is no such file.
func size(of path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : 0
}

func environment(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
}
