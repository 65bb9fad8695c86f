import Glibc
import MQTT
import Uplink

/// Batches as `roost store export` writes them, end to end in files or a pipe, opened one at a time: memory is bounded by
/// what one batch may hold, whatever a file claims.
final class BatchFiles {
    /// Where a file is no more what it should be: nothing behind is read.
    struct Damage: Error {
        var file: String
        /// Of the batch, in the file.
        var offset: Int
        var detail: String

        var text: String { offset == 0 ? "\(file): \(detail)" : "\(file), the batch at byte \(offset): \(detail)" }
    }

    enum Step {
        /// Its packets are valid until the next step.
        case batch(BatchReader.Opened)
        /// A pipe has nothing yet.
        case pending
        case end
    }

    /// What a first look at all files found.
    struct Contents {
        var batches = 0
        var messages = 0
        /// Standard input can't be looked at before.
        var isComplete = true
        var damage: Damage?
    }

    static let standardInput = "-"

    private let paths: [String]
    private let limitBytes: Int
    private let reader: BatchReader
    private var upcoming = 0
    private var descriptor: Int32 = -1
    private var buffer: [UInt8] = []
    /// What of the buffer has been taken, and where in the file that is.
    private var front = 0
    private var offset = 0
    private var isAtEnd = false

    /// - Parameters:
    ///   - paths: in this order; `-` is standard input.
    ///   - limitBytes: the most that a batch may hold decompressed.
    init(_ paths: [String], limitBytes: Int) {
        self.paths = paths
        self.limitBytes = limitBytes
        reader = BatchReader(limitBytes: limitBytes)
    }

    deinit { closeFile() }

    /// Opens every batch of every file that can be read twice, before anything is done with any.
    static func survey(_ paths: [String], limitBytes: Int) throws -> Contents {
        var contents = Contents()
        var regular: [String] = []
        for path in paths {
            guard path != standardInput else {
                contents.isComplete = false
                continue
            }
            var status = stat()
            guard stat(path, &status) == 0 else { throw failure(path) }
            if status.st_mode & S_IFMT == S_IFIFO { contents.isComplete = false } else { regular.append(path) }
        }
        let files = BatchFiles(regular, limitBytes: limitBytes)
        do {
            while case .batch(let batch) = try files.next() {
                contents.batches += 1
                contents.messages += batch.count
            }
        } catch let damage as Damage { contents.damage = damage }
        return contents
    }

    func next() throws -> Step {
        while true {
            if descriptor < 0 {
                guard try openNext() else { return .end }
            }
            if let batch = try take() { return .batch(batch) }
            if isAtEnd {
                guard front == buffer.count else { throw damage("cut short: the file ends within it") }
                closeFile()
                continue
            }
            guard try fill() else { return .pending }
        }
    }

    // MARK: Within a file

    private var name: String {
        let path = paths[upcoming - 1]
        return path == Self.standardInput ? "standard input" : path
    }

    private func damage(_ detail: String) -> Damage { Damage(file: name, offset: offset, detail: detail) }

    private static func failure(_ path: String) -> Failure { .refused("\(path): \(String(cString: strerror(errno)))") }

    private func openNext() throws -> Bool {
        guard upcoming < paths.count else { return false }
        let path = paths[upcoming]
        descriptor = path == Self.standardInput ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure(path) }
        upcoming += 1
        return true
    }

    private func closeFile() {
        if descriptor > STDIN_FILENO { close(descriptor) }
        descriptor = -1
        buffer = []
        front = 0
        offset = 0
        isAtEnd = false
    }

    private func take() throws -> BatchReader.Opened? {
        guard front < buffer.count else { return nil }
        let opened: BatchReader.Opened? = try buffer.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[front...])
            do throws(BatchRefusal) {
                guard let length = try Batch.length(rest, limitBytes: limitBytes), length <= rest.count else {
                    return nil
                }
                return try reader.open(UnsafeRawBufferPointer(rebasing: rest[..<length]))
            } catch {
                throw damage(text(error))
            }
        }
        if let opened {
            front += opened.length
            offset += opened.length
        }
        return opened
    }

    private func text(_ refusal: BatchRefusal) -> String {
        guard case .bomb = refusal else { return "\(refusal)" }
        return "it holds more than \(Quantities.bytes(Int64(limitBytes))) when decompressed (--max-batch)"
    }

    /// Reads on; false where there is nothing to read yet.
    private func fill() throws -> Bool {
        var ready = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        if poll(&ready, 1, 0) == 0 { return false }
        if front > 0 {
            buffer.removeFirst(front)
            front = 0
        }
        let before = buffer.count
        // What there is doubles, so that a long batch is not looked through again for each piece of it.
        let room = max(256 << 10, before)
        buffer.append(contentsOf: repeatElement(0, count: room))
        let count = buffer.withUnsafeMutableBytes { bytes in
            Glibc.read(descriptor, UnsafeMutableRawBufferPointer(rebasing: bytes[before...]).baseAddress, room)
        }
        let code = errno
        buffer.removeLast(room - max(0, count))
        if count == 0 { isAtEnd = true }
        guard count < 0, code != EINTR, code != EAGAIN else { return true }
        throw Failure.refused("\(name): \(String(cString: strerror(code)))")
    }
}
