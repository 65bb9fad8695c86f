/// An address as devices' manuals print it: a digit for the table, and the place counted from 1, in 5 or 6 digits. `40001` and
/// `400001` are the holding register 0.
package struct Reference: Equatable, Sendable {
    package var table: DataTable
    /// From 0.
    package var address: Int
    package var text: String

    package struct Problem: Error, Equatable {
        package var message: String
    }

    package init(_ text: String) throws(Problem) {
        let digits = Array(text.utf8)
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }), digits.count == 5 || digits.count == 6 else {
            throw Problem(message: "\"\(text)\" is not a reference of 5 or 6 digits (\"40001\"); address counts from 0")
        }
        let table: DataTable
        switch digits[0] {
        case UInt8(ascii: "0"): table = .coil
        case UInt8(ascii: "1"): table = .discrete
        case UInt8(ascii: "3"): table = .input
        case UInt8(ascii: "4"): table = .holding
        default:
            throw Problem(
                message: "\"\(text)\": begins with none of 0 (coil), 1 (discrete), 3 (input), 4 (holding)")
        }
        let number = Int(text.dropFirst()) ?? 0
        guard (1...65_536).contains(number) else {
            throw Problem(message: "\"\(text)\": references count from 1 to \(digits.count == 5 ? 9999 : 65536)")
        }
        self.table = table
        address = number - 1
        self.text = text
    }
}
