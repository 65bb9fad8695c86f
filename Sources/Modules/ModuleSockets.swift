import EventLoop
import Glibc

/// The private sockets that modules may connect to, for libraries that can't use an inherited descriptor: one for modules that
/// run as roostd does, in its data directory, and one for those with a user of their own, where they can reach it. Each is
/// there once a module needs it.
///
/// Who connects must be a module's user, which the kernel says, and then show its password.
final class ModuleSockets {
    private let data: String
    private let network: SocketNetwork
    private var own: (listener: any Listener, path: String)?
    private var shared: (listener: any Listener, path: String)?
    /// Those who may come to the shared one.
    private var users: Set<UInt32> = []
    /// A directory that we have made, outside of the data directory.
    private var directory: String?
    /// sockaddr_un's, with its last byte for the end.
    private static let longestPath = 107

    init(data: String, network: SocketNetwork) {
        self.data = data
        self.network = network
    }

    func path(
        for user: ModuleUser?, accept: @escaping (ByteStream) -> Void
    ) throws(NetworkError) -> String {
        guard let user else {
            if let own { return own.path }
            let inData = "\(absolute(data))/modules.sock"
            let path = inData.utf8.count <= Self.longestPath ? inData : "\(try runtimeDirectory())/modules.sock"
            own = (try listen(path, mode: 0o600, accept) { $0 == geteuid() }, path)
            return path
        }
        users.insert(user.user)
        if let shared { return shared.path }
        let path = "\(try runtimeDirectory())/users.sock"
        shared = (
            try listen(path, mode: 0o666, accept) { [unowned self] in users.contains($0) || $0 == geteuid() }, path
        )
        return path
    }

    private func listen(
        _ path: String, mode: UInt32, _ accept: @escaping (ByteStream) -> Void,
        mayCome: @escaping (UInt32) -> Bool
    ) throws(NetworkError) -> any Listener {
        try network.listen(.unix(path: path), options: ListenOptions(mode: mode, backlog: 64)) { stream in
            guard let credentials = stream.peerCredentials, mayCome(credentials.user) else { return stream.close() }
            accept(stream)
        }
    }

    /// What systemd gives a service, or a directory of our own: where others can reach a socket, and its path is short.
    private func runtimeDirectory() throws(NetworkError) -> String {
        if let directory { return directory }
        if let given = getenv("RUNTIME_DIRECTORY") {
            let first = String(cString: given).split(separator: ":").first.map(String.init) ?? ""
            if first.hasPrefix("/"), first.utf8.count <= 80 { return first }
        }
        var template = Array("/tmp/roost-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw NetworkError.badPath("/tmp/roost-XXXXXX", reason: errorText(errno))
        }
        let made = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(made, 0o711)
        directory = made
        return made
    }

    private func absolute(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    func close() {
        own?.listener.close()
        shared?.listener.close()
        own = nil
        shared = nil
        if let directory { rmdir(directory) }
        directory = nil
    }

    deinit { close() }
}
