/// Why a command ends other than well: what a person is told, and what a script reads.
struct Failure: Error {
    enum Code: Int32 {
        case refused = 1
        case usage = 2
        case cannotConnect = 3
    }

    var code: Code
    /// One line that names the thing and the next step; empty when everything has been said.
    var message: String

    static func refused(_ message: String) -> Failure { Failure(code: .refused, message: message) }
    static func usage(_ message: String) -> Failure { Failure(code: .usage, message: message) }
    static func cannotConnect(_ message: String) -> Failure { Failure(code: .cannotConnect, message: message) }
}
