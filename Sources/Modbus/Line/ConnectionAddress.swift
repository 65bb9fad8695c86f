/// Where a connection goes: `tcp://host:502`, `rtu:///dev/ttyUSB0?baud=19200&parity=even`, `rtu+tcp://host:4001`.
package enum ConnectionAddress: Equatable, Sendable {
    /// Modbus TCP.
    case tcp(host: String, port: UInt16)
    /// RTU on a serial device of this machine.
    case serial(SerialLine)
    /// RTU frames over TCP, as serial servers carry them.
    case rtuOverTCP(host: String, port: UInt16)

    /// IANA's for Modbus.
    package static let defaultPort: UInt16 = 502

    package struct Problem: Error, Equatable {
        package var message: String
    }

    package init(_ text: String) throws(Problem) {
        guard let mark = text.firstRange(of: "://") else {
            throw Problem(message: "\"\(text)\" is not tcp://host:502, rtu:///dev/ttyUSB0 or rtu+tcp://host:port")
        }
        let rest = text[mark.upperBound...]
        switch text[..<mark.lowerBound] {
        case "tcp", "modbus", "modbus+tcp":
            let (host, port) = try Self.endpoint(rest, text)
            self = .tcp(host: host, port: port ?? Self.defaultPort)
        case "rtu+tcp":
            let (host, port) = try Self.endpoint(rest, text)
            guard let port else { throw Problem(message: "\"\(text)\" has no port (rtu+tcp://host:4001)") }
            self = .rtuOverTCP(host: host, port: port)
        case "rtu", "modbus+rtu": self = .serial(try SerialLine(String(rest)))
        case let scheme: throw Problem(message: "\(scheme) is not one of tcp, rtu, rtu+tcp")
        }
    }

    private static func endpoint(_ text: Substring, _ whole: String) throws(Problem) -> (String, UInt16?) {
        var host = text.last == "/" ? text.dropLast() : text
        var port: UInt16?
        if let colon = host.lastIndex(of: ":"), host.last != "]" {
            let digits = host[host.index(after: colon)...]
            guard let number = UInt16(digits), number > 0, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw Problem(message: "\(digits.isEmpty ? "nothing" : String(digits)) is not a port (1-65535)")
            }
            port = number
            host = host[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw Problem(message: "\"\(whole)\": an IPv6 address stands in brackets ([::1])")
        }
        guard !host.isEmpty, !host.contains(where: { $0 == "/" || $0 == "?" || $0 == " " || $0 == "@" }) else {
            throw Problem(message: "\"\(whole)\" names no host")
        }
        return (String(host), port)
    }

    /// Frames carry a check, and no transaction numbers.
    package var isRTU: Bool {
        if case .tcp = self { false } else { true }
    }

    /// The units that can be asked: on a serial line 0 is a broadcast, and above 247 is reserved (Modbus over Serial Line 1.02
    /// §2.2); on TCP 255 and 0 mean the device itself.
    package var units: ClosedRange<Int> { isRTU ? 1...247 : 0...255 }
}

extension ConnectionAddress: CustomStringConvertible {
    /// As it may be written.
    package var description: String {
        func name(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
        switch self {
        case .tcp(let host, let port): return "tcp://\(name(host)):\(port)"
        case .rtuOverTCP(let host, let port): return "rtu+tcp://\(name(host)):\(port)"
        case .serial(let line): return "rtu://\(line)"
        }
    }
}
