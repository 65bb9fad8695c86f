import EventLoop
import Glibc

/// Ports on the loopback that nobody listens on.
enum FreePort {
    /// The first free ones from `first` on. They stay below those that the kernel gives to outgoing connections: a client
    /// that tries again and again while its server is down must not take the server's port.
    static func find(_ count: Int, from first: UInt16, network: any Network) throws -> [UInt16] {
        var found: [UInt16] = []
        var held: [any Listener] = []
        defer { for listener in held { listener.close() } }
        for port in first..<32_000 where claim(port) {
            do throws(NetworkError) {
                held.append(try network.listen(.tcp(host: "127.0.0.1", port: port)) { $0.close() })
                found.append(port)
            } catch {
                continue
            }
            if found.count == count { return found }
        }
        throw Failure.refused("no free port on the loopback from \(first) on")
    }

    /// Between the look and the start of a node another demo might take the port; so whoever looks claims it, by a socket of
    /// that name in the abstract namespace (unix(7)), until the process ends.
    private static func claim(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = [0] + Array("roost-demo-\(port)".utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        if result != 0 { close(descriptor) }
        return result == 0
    }
}
