import Glibc

/// Where the programs under test and those that others wrote are.
enum Programs {
    /// $ROOSTD, else the one that was built with these tests.
    static var roostd: String { environment("ROOSTD") ?? built("roostd") }
    /// $ROOST, else the one that was built with these tests.
    static var roost: String { environment("ROOST") ?? built("roost") }

    /// $ROOST_BLUETOOTH, else the one that was built with these tests.
    static var roostBluetooth: String { environment("ROOST_BLUETOOTH") ?? built("roost-bluetooth") }

    static let mosquitto = find("mosquitto", besides: ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"])
    static let mosquittoPub = find("mosquitto_pub")
    static let mosquittoSub = find("mosquitto_sub")
    static let mosquittoPasswd = find("mosquitto_passwd")
    static let sqlite3 = find("sqlite3")
    static let openssl = find("openssl")
    static let compiler = find("cc")

    /// A Python that has paho-mqtt 2: $ROOST_PYTHON, the one `make test` prepares in .build/venv, or the system's.
    static let python: String? = {
        let candidates = [environment("ROOST_PYTHON"), package + "/.build/venv/bin/python", find("python3")]
        for case let candidate? in candidates where access(candidate, X_OK) == 0 {
            let check = "import paho.mqtt, sys; sys.exit(paho.mqtt.__version__.split('.')[0] < '2')"
            if system("'\(candidate)' -c \"\(check)\" 2>/dev/null") == 0 { return candidate }
        }
        return nil
    }()

    /// Debian's Python with pymodbus 3, where socat and mbpoll are there too.
    static let pymodbus: String? = {
        let python = "/usr/bin/python3"
        let imports = "\(python) -c 'import pymodbus.server.async_io' 2>/dev/null"
        guard find("socat") != nil, find("mbpoll") != nil, system(imports) == 0 else { return nil }
        return python
    }()

    /// A bus and a BlueZ to put on it; the system's Python, since Debian has the mock.
    static let canSimulateBlueZ =
        find("dbus-daemon") != nil && system("/usr/bin/python3 -c 'import dbusmock, gi' 2>/dev/null") == 0
    static let hasReferenceOfBTHome =
        python.map { system("'\($0)' -c 'import bthome_ble' 2>/dev/null") == 0 } ?? false

    /// The package's folder, three levels above this file.
    static let package = directory(of: directory(of: directory(of: directory(of: #filePath))))

    static var isRoot: Bool { geteuid() == 0 }

    private static func built(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        // The test bundle is run by a helper of the toolchain, or is itself the program: the first place that has the
        // binary wins.
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let configuration: String
        #if DEBUG
            configuration = "debug"
        #else
            configuration = "release"
        #endif
        let candidates = [directory(of: own) + "/" + name, "\(package)/.build/\(configuration)/\(name)"]
        return candidates.first { access($0, X_OK) == 0 } ?? candidates[1]
    }

    private static func find(_ name: String, besides places: [String] = []) -> String? {
        let folders = (environment("PATH") ?? "/usr/bin:/bin").split(separator: ":")
        return (folders.map { "\($0)/\(name)" } + places).first { access($0, X_OK) == 0 }
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return String(path[..<slash])
    }
}

/// Ports that nothing listens on, below those that the kernel gives to outgoing connections, each handed out once.
enum Ports {
    static func free() throws -> UInt16 {
        for _ in 0..<1000 {
            let port = UInt16.random(in: 20_000..<32_000)
            if canListen(port) { return port }
        }
        throw Failure("no free port on 127.0.0.1")
    }

    private static func canListen(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
