/// Why a request has no result.
package enum ModbusError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The device answered that it can't.
    case exception(ExceptionCode)
    /// The device answered with something that is no answer to this request.
    case malformed(String)
    /// Bytes came, and none of them were a frame that holds (CRC).
    case corrupt
    /// Nothing came in time.
    case timedOut
    /// There is no connection; the text says why.
    case notConnected(String)
    /// The connection was lost while the request was under way.
    case connectionLost(String)

    package var description: String {
        switch self {
        case .exception(let code): code.description
        case .malformed(let text): "not an answer to the request: \(text)"
        case .corrupt: "the answer was corrupt (CRC)"
        case .timedOut: "no answer in time"
        case .notConnected(let text): "not connected: \(text)"
        case .connectionLost(let text): "connection lost: \(text)"
        }
    }

    /// Another try of the same request makes sense.
    var isWorthARetry: Bool {
        switch self {
        case .malformed, .corrupt, .timedOut: true
        case .exception(let code): code.mayPass
        case .notConnected, .connectionLost: false
        }
    }

    /// The device itself has not been heard.
    var meansSilence: Bool {
        switch self {
        case .corrupt, .timedOut, .notConnected, .connectionLost: true
        case .malformed: false
        case .exception(let code): code.meansSilence
        }
    }
}
