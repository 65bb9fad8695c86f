import Configuration
import Glibc

/// Where the proof takes place: on the disk that Roost's data is on, or will be.
enum ProvePlace {
    /// The longest path a Unix socket may have (unix(7)), without the zero at its end.
    private static let longestSocket = 107

    /// A new directory. Where nothing was chosen it is beside the configured data directory, else where the packages put
    /// it, else here.
    static func makeDirectory(_ chosen: String?) throws -> (path: String, isOnDisk: Bool) {
        if let chosen { return try Files.makeDirectory(in: [absolute(chosen)], for: "prove") }
        var candidates: [String] = []
        for file in ["/etc/roost/roost.toml", "conf/roost.toml"] {
            guard let settings = try? Settings.load(file: file) else { continue }
            let data = absolute(settings.node.data)
            candidates += [parent(of: data), data]
        }
        candidates += ["/var/lib/roost", absolute(".")]
        return try Files.makeDirectory(in: candidates, for: "prove")
    }

    /// Moves the admin sockets to /tmp where their paths would be too long.
    static func shortenSockets(of nodes: [Node]) throws {
        guard nodes.contains(where: { $0.socket.utf8.count > longestSocket }) else { return }
        let (directory, _) = try Files.makeDirectory(in: ["/tmp"], for: "prove")
        Leftovers.add(directory: directory)
        for node in nodes { node.socket = "\(directory)/\(node.name).sock" }
    }

    private static func absolute(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
