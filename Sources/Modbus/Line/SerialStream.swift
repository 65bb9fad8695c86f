import CLinux
import EventLoop
import Glibc

/// A serial device as a stream of bytes.
final class SerialStream: ByteStream, DescriptorHandler {
    private var descriptor: Int32
    private var watch = Watch.none

    /// Opens and sets the device; the error is what a person needs to know.
    static func open(_ line: SerialLine, on loop: EventLoop) throws(SerialProblem) -> SerialStream {
        let descriptor = Glibc.open(line.path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw SerialProblem("\(line.path): \(text(errno))") }
        let stream = SerialStream(loop, descriptor, line.path)
        do throws(SerialProblem) {
            try stream.configure(line)
        } catch {
            stream.close()
            throw error
        }
        return stream
    }

    private init(_ loop: EventLoop, _ descriptor: Int32, _ path: String) {
        self.descriptor = descriptor
        super.init(loop: loop, peer: path)
    }

    deinit {
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    private func configure(_ line: SerialLine) throws(SerialProblem) {
        // Two programs that ask on one line get each other's answers.
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            throw SerialProblem("\(line.path): another program uses it")
        }
        let parity: Int32 =
            switch line.parity {
            case .none: 0
            case .odd: 1
            case .even: 2
            }
        guard linux_serial_configure(descriptor, UInt32(line.baud), parity, Int32(line.stopBits)) == 0 else {
            throw SerialProblem(
                errno == ENOTTY
                    ? "\(line.path): is no serial device"
                    : "\(line.path): does not take \(line.baud) baud, \(line.parity) parity: \(Self.text(errno))")
        }
        if line.rs485 != .off, linux_serial_rs485(descriptor, line.rs485 == .on ? 1 : 0) != 0 {
            throw SerialProblem(
                "\(line.path): its driver does not switch RS-485 (\(Self.text(errno))); leave rs485 out where the hardware does"
            )
        }
        do throws(SystemError) {
            watch = try loop.watch(descriptor: descriptor, .read, handler: self)
        } catch {
            throw SerialProblem("\(line.path): \(error)")
        }
    }

    private static func text(_ number: Int32) -> String { SystemError(number: number, call: "").text }

    // MARK: - The edge

    func descriptorIsReady(_ readiness: Readiness) {
        if readiness.contains(.writable) { edgeBecameWritable() }
        guard !isClosed, readiness != .writable else { return }
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 {
                edgeDidReceive(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            } else if count == 0 {
                edgeDidClose(nil)
            } else if errno != EAGAIN && errno != EINTR {
                edgeDidClose(.system(SystemError(number: errno, call: "read")))
            }
        }
    }

    override func send(_ bytes: UnsafeRawBufferPointer) -> SendResult {
        while true {
            let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            if count >= 0 { return .sent(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .sent(0)
            default: return .failed(.system(SystemError(number: errno, call: "write")))
            }
        }
    }

    override func wantsWritable(_ wanted: Bool) {
        do throws(SystemError) {
            try loop.change(watch, wanted ? [.read, .write] : .read)
        } catch {
            edgeDidClose(.system(error))
        }
    }

    override func closeEdge() {
        loop.unwatch(watch)
        watch = .none
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}

/// Why a serial device can't be had.
struct SerialProblem: Error {
    let message: String

    init(_ message: String) { self.message = message }
}
