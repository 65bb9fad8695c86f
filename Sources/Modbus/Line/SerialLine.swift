import EventLoop

/// A serial device and how it is set: always 8 data bits, as RTU needs them (Modbus over Serial Line 1.02 §2.5.1).
package struct SerialLine: Equatable, Sendable {
    package enum Parity: String, CaseIterable, Sendable {
        case none, odd, even
    }

    /// Who switches an RS-485 transceiver between sending and receiving.
    package enum RS485: String, CaseIterable, Sendable {
        /// The hardware by itself, or the line isn't RS-485.
        case off
        /// The kernel by RTS, high while it sends.
        case on
        /// The kernel by RTS, low while it sends.
        case inverted
    }

    package var path: String
    package var baud = 19_200
    package var parity = Parity.even
    package var stopBits = 1
    package var rs485 = RS485.off

    /// - Parameter text: behind `rtu://`: `/dev/ttyUSB0?baud=9600&parity=none&stop=1&rs485=on`.
    package init(_ text: String) throws(ConnectionAddress.Problem) {
        let halves = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(halves[0])
        guard path.hasPrefix("/"), path.utf8.count > 1, !path.utf8.contains(0) else {
            throw ConnectionAddress.Problem(
                message: "\"\(path)\" is not the path of a serial device (rtu:///dev/ttyUSB0, three slashes)")
        }
        var isStopGiven = false
        for item in halves.count > 1 ? halves[1].split(separator: "&") : [] {
            let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = pair.count > 1 ? String(pair[1]) : ""
            switch pair[0] {
            case "baud":
                guard let number = Int(value), (50...10_000_000).contains(number) else {
                    throw Self.problem("baud", value, "50-10000000")
                }
                baud = number
            case "parity": parity = try Self.word("parity", value)
            case "stop":
                guard value == "1" || value == "2" else { throw Self.problem("stop", value, "1, 2") }
                stopBits = value == "2" ? 2 : 1
                isStopGiven = true
            case "rs485": rs485 = try Self.word("rs485", value)
            case let other:
                throw ConnectionAddress.Problem(message: "\(other) is not one of baud, parity, stop, rs485")
            }
        }
        // Without parity a second stop bit takes its place, so that a character always has 11 bits (§2.5.1).
        if parity == .none, !isStopGiven { stopBits = 2 }
    }

    private static func word<W: CaseIterable & RawRepresentable>(
        _ key: String, _ value: String
    ) throws(ConnectionAddress.Problem) -> W where W.RawValue == String {
        guard let word = W(rawValue: value) else {
            throw problem(key, value, W.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return word
    }

    private static func problem(_ key: String, _ value: String, _ known: String) -> ConnectionAddress.Problem {
        ConnectionAddress.Problem(message: "\(key)=\(value): is not one of \(known)")
    }

    // MARK: - Times

    /// Start, 8 data, parity, stop.
    private var bitsPerCharacter: Int { 9 + (parity == .none ? 0 : 1) + stopBits }

    /// How long so many bytes take on the line.
    package func time(of bytes: Int) -> Duration {
        .nanoseconds(Int64(bytes) * Int64(bitsPerCharacter) * 1_000_000_000 / Int64(baud))
    }

    /// What stands between two frames: 3.5 characters, above 19,200 baud always 1.75 ms (§2.5.1.1).
    package var silence: Duration { baud > 19_200 ? .microseconds(1750) : .nanoseconds(time(of: 7).nanoseconds / 2) }
}

extension SerialLine: CustomStringConvertible {
    package var description: String {
        path + "?baud=\(baud)&parity=\(parity.rawValue)&stop=\(stopBits)"
            + (rs485 == .off ? "" : "&rs485=\(rs485.rawValue)")
    }
}
