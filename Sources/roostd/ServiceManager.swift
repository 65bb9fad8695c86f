import Glibc

/// Tells systemd how far we are (sd_notify(3)), without its library: one datagram to the socket that it names.
enum ServiceManager {
    static func notify(_ state: String) {
        guard let name = getenv("NOTIFY_SOCKET") else { return }
        let path = String(cString: name)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: path.utf8)
            // A name that begins with @ is abstract: its first byte is 0.
            if path.hasPrefix("@") { target[0] = 0 }
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.utf8.count)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { socketAddress in
                _ = state.withCString { sendto(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL), socketAddress, length) }
            }
        }
    }
}
