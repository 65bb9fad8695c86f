/// The names of properties, each kept once: 100,000 devices have the same ten.
struct NameTable {
    private(set) var names: [String] = []
    private var numbers: [String: UInt32] = [:]

    subscript(number: UInt32) -> String { names[Int(number)] }

    func find(_ name: String) -> UInt32? { numbers[name] }

    mutating func intern(_ name: String) -> UInt32 {
        if let known = numbers[name] { return known }
        let number = UInt32(names.count)
        names.append(name)
        numbers[name] = number
        return number
    }
}
