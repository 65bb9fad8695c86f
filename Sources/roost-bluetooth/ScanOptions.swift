import Bluetooth

/// The arguments of `scan`.
struct ScanOptions {
    var adapter = "hci0"
    /// nil: until Ctrl-C.
    var seconds: Int?
    var keysFile = ""
    var isAll = false
    var isJSON = false

    struct Problem: Error {
        var message: String
    }

    init(_ arguments: [String]) throws(Problem) {
        var rest = arguments[...]
        func value(_ name: String) throws(Problem) -> String {
            guard let value = rest.popFirst() else { throw Problem(message: "\(name) needs a value") }
            return value
        }
        while let argument = rest.popFirst() {
            switch argument {
            case "--adapter": adapter = try value(argument)
            case "--keys": keysFile = try value(argument)
            case "--seconds":
                guard let number = Int(try value(argument)), number > 0 else {
                    throw Problem(message: "--seconds needs a number of seconds")
                }
                seconds = number
            case "--all": isAll = true
            case "--json": isJSON = true
            default: throw Problem(message: "\(argument) is not an option of scan (--help)")
            }
        }
    }
}
