/// What a module's process shows when it connects by itself: made anew for each start, and worth nothing after it.
enum ModulePassword {
    /// 256 bits of chance, in hexadecimal digits.
    static func make() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef".utf8)
        return (0..<64).map { _ in digits[Int.random(in: 0..<16, using: &generator)] }
    }

    /// In a time that tells nothing of where they differ.
    static func isSame(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        guard first.count == second.count else { return false }
        var difference: UInt8 = 0
        for index in first.indices { difference |= first[index] ^ second[index] }
        return difference == 0
    }
}
