import EventLoop
import Glibc

/// Bytes that this process has had written to storage, as the kernel counts them (proc(5), `write_bytes` in
/// /proc/PID/io): with the database's journal and checkpoints, without what only touched the page cache.
public final class DiskMeter {
    /// Before this, a rate says more about the start than about the day.
    private static let shortest: Duration = .seconds(60)

    private let clock: any Clock
    private let count: () -> UInt64?
    private let startedAt: Instant
    private let startCount: UInt64

    /// Counts from now on: what opening the store cost is not paid every day.
    public init(clock: any Clock, count: @escaping () -> UInt64? = DiskMeter.processCount) {
        self.clock = clock
        self.count = count
        startedAt = clock.now
        startCount = count() ?? 0
    }

    /// Since the process began; nil: the kernel doesn't say.
    public var writtenBytes: UInt64? { count() }

    /// What has been written since the start, scaled to a day; nil in the first minute.
    public var bytesPerDay: Double? {
        let elapsed = clock.now - startedAt
        guard elapsed >= Self.shortest, let now = count(), now >= startCount else { return nil }
        return (Double(now - startCount) * 86_400 / (Double(elapsed.nanoseconds) / 1e9)).rounded()
    }

    public static func processCount() -> UInt64? {
        guard let text = File.read("/proc/self/io", atMost: 4096) else { return nil }
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") where line.hasPrefix("write_bytes: ") {
            return UInt64(line.dropFirst("write_bytes: ".count))
        }
        return nil
    }
}

/// Small files, read whole.
public enum File {
    /// nil: it can't be read (errno says why).
    public static func read(_ path: String, atMost limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var length = 0
        while length < limit {
            let room = limit - length
            let count = bytes.withUnsafeMutableBytes { target in
                target.baseAddress.map { Glibc.read(descriptor, $0 + length, room) } ?? 0
            }
            if count < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if count == 0 { break }
            length += count
        }
        return Array(bytes[..<length])
    }
}
