import EventLoop
import Glibc
import MQTT
import Store

// store-bench DIRECTORY MESSAGES GROUP SECONDS: takes PUBLISH packets from a file of them, one behind the other, and keeps them
// in the log for a session that is away: `GROUP` outstanding at a time, the next when all are on the disk. Then reads all
// back and removes it, as a route that is acknowledged does. Prints one JSON object.

/// Counts the messages that became safe.
final class Safety: SafetyWaiter {
    var count = 0
    func messageIsSettled(ticket: UInt64, reason: ReasonCode) { count += 1 }
}

final class Reports {
    weak var log: Log?
}

func nanoseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

func writtenBytes() -> Int {
    guard let file = fopen("/proc/self/io", "r") else { return -1 }
    defer { fclose(file) }
    var value = -1
    var line = [CChar](repeating: 0, count: 128)
    while fgets(&line, 128, file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard text.hasPrefix("write_bytes:") else { continue }
        value = Int(text.dropFirst(13).prefix { $0.isNumber }) ?? -1
    }
    return value
}

func contents(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    fseek(file, 0, SEEK_END)
    var bytes = [UInt8](repeating: 0, count: ftell(file))
    rewind(file)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes.prefix(count))
}

func run(_ directory: String, _ bytes: [UInt8], group: Int, seconds: Double) throws {
    let packets = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    packets.copyBytes(from: bytes)
    var views: [PublishView] = []
    var rest = UnsafeRawBufferPointer(packets)
    while let packet = try readFrame(rest, maximum: rest.count, version: .v311) {
        views.append(try PublishView(packet, version: .v311))
        rest = UnsafeRawBufferPointer(rebasing: rest[packet.length...])
    }

    let loop = try EventLoop()
    // Messages come while a tick runs, as they do from clients. Before the log: what a tick brings, its end hands to the writer.
    let safety = Safety()
    var publish: () -> Void = {}
    loop.atTickEnd { publish() }
    var options = DatabaseOptions()
    options.budgetBytes = 16 << 30
    let database = try Database.open(path: directory, options: options)
    let state = try database.load()
    let reports = Reports()
    let mailbox = Mailbox<StoreReport>(loop: loop) { reports.log?.handle($0) }
    let writer = StoreWriter(database: database, rest: loop.rest) { mailbox.post($0) }
    let log = Log(loop: loop, engine: writer, options: LogOptions(budgetBytes: options.budgetBytes), state: state)
    reports.log = log
    let session = log.takeSessionID()
    let queue = SessionQueue(session: session, log: log, maximumMessages: .max, maximumBytes: .max)
    let member = StreamMember(session: session, qos: 1, retainAsPublished: false, subscriptionIdentifiers: [])
    let (stream, _) = log.sessionStream(for: [(queue, member)])

    let writtenBefore = writtenBytes()
    let began = nanoseconds(CLOCK_MONOTONIC)
    let processor = nanoseconds(CLOCK_PROCESS_CPUTIME_ID)
    let stop = began + Int64(seconds * 1_000_000_000)
    let streams = [stream]
    var sent = 0
    var now = began
    publish = {
        guard safety.count == sent, now < stop else { return }
        for _ in 0..<group {
            let message = Message(
                views[sent % views.count], laneSequence: log.takeLaneSequence(),
                receivedAt: log.clock.time(at: loop.now), meter: log.meter)
            log.append(message, to: streams, waiter: safety)
            sent += 1
        }
    }
    loop.tick(wait: .zero)
    while now < stop || safety.count < sent {
        loop.tick()
        now = nanoseconds(CLOCK_MONOTONIC)
    }
    publish = {}
    let stored = Double(now - began) / 1e9
    let storedProcessor = Double(nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - processor) / 1e3
    let written = writtenBytes() - writtenBefore
    var isClosed = false
    log.close([]) { isClosed = true }
    while !isClosed { loop.tick() }
    writer.join()

    let again = try Database.open(path: directory, options: options)
    let drainBegan = nanoseconds(CLOCK_MONOTONIC)
    var next: UInt64 = 1
    var read = 0
    var groupNumber: UInt64 = 1 << 32
    while read < sent {
        let (segments, _) = try again.read(stream: stream.record.id, from: next, maximumBytes: 512 << 10)
        guard let last = segments.last else { break }
        read += segments.reduce(0) { $0 + $1.count }
        next = last.first + UInt64(last.count)
        groupNumber += 1
        _ = try again.commit(
            CommitGroup(number: groupNumber, segments: [], changes: [.trim(stream.record.id, below: next)]))
    }
    let drained = Double(nanoseconds(CLOCK_MONOTONIC) - drainBegan) / 1e9
    try again.close()
    let count = Double(sent)
    print(
        """
        {"messages": \(sent), "ack_rate": \(count / stored), "store_us": \(storedProcessor / count), \
        "process_bytes": \(Double(written) / count), "drain_rate": \(Double(read) / drained), "read": \(read)}
        """)
}

guard CommandLine.arguments.count == 5, let group = Int(CommandLine.arguments[3]),
    let seconds = Double(CommandLine.arguments[4])
else {
    print("usage: store-bench DIRECTORY MESSAGES GROUP SECONDS")
    exit(2)
}
do {
    try run(CommandLine.arguments[1], contents(CommandLine.arguments[2]), group: group, seconds: seconds)
} catch {
    print("store-bench: \(error)")
    exit(1)
}
