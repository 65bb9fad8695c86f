import Glibc

/// One end of a TCP connection: sends bytes, and takes packets one by one. Waits without a loop, and longer than anything may
/// take.
final class Peer {
    private let descriptor: Int32
    private var received: [UInt8] = []
    private static let patience = timeval(tv_sec: 60, tv_usec: 0)

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var patience = Self.patience
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw Failure("no connection to port \(port): errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// What the other end closed meanwhile is no error: what it says then is what is tested.
    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// The next packet; nil: the other end has closed.
    func next() throws -> [UInt8]? {
        while true {
            if let length = frameLength, received.count >= length {
                let packet = Array(received[..<length])
                received.removeFirst(length)
                return packet
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count > 0 {
                received += buffer[..<count]
            } else if count == 0 || errno == ECONNRESET {
                guard received.isEmpty else { throw Failure("closed within a packet: \(received.hexadecimal)") }
                return nil
            } else if errno != EINTR {
                throw Failure("nothing came")
            }
        }
    }

    /// Of the packet at the head, as far as that is known.
    private var frameLength: Int? {
        var length = 0
        for place in 1..<5 {
            guard place < received.count else { return nil }
            length |= Int(received[place] & 0x7F) << (7 * (place - 1))
            if received[place] & 0x80 == 0 { return length + place + 1 }
        }
        return nil
    }
}

extension Sequence<UInt8> {
    var hexadecimal: String {
        map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined(separator: " ")
    }
}
