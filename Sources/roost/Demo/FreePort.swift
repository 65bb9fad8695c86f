import EventLoop

/// Ports on the loopback that nobody listens on.
enum FreePort {
    /// The first free ones from `first` on. They stay below those that the kernel gives to outgoing connections: a client
    /// that tries again and again while its server is down must not take the server's port.
    static func find(_ count: Int, from first: UInt16, network: any Network) throws -> [UInt16] {
        var found: [UInt16] = []
        var held: [any Listener] = []
        defer { for listener in held { listener.close() } }
        for port in first..<32_000 {
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
}
