extension Kind where Value == Int {
    /// A whole number within bounds.
    package static func count(in range: ClosedRange<Int>) -> Kind {
        Kind(
            read: { (node) throws(Refusal) in
                guard case .integer(let number) = node.value else {
                    throw Refusal("\(node.shown) is not a whole number (\(range.lowerBound)-\(range.upperBound))")
                }
                guard range.contains(number) else {
                    throw Refusal("\(number) is out of range (\(range.lowerBound)-\(range.upperBound))")
                }
                return number
            },
            write: { .integer($0) })
    }

    /// Bytes: a number or "64KiB".
    package static func size(in range: ClosedRange<Int>) -> Kind {
        Kind(
            read: { (node) throws(Refusal) in
                let bytes: Int? =
                    switch node.value {
                    case .integer(let number): number
                    case .string(let text): Quantity.bytes(text)
                    default: nil
                    }
                guard let bytes else {
                    throw Refusal("\(node.shown) is not a size (bytes, or like \"64KiB\" or \"1MB\")")
                }
                guard bytes >= range.lowerBound else {
                    let least = Quantity.shownBytes(range.lowerBound) ?? "\(range.lowerBound)"
                    throw Refusal("\(node.shown) is too small (at least \(least))")
                }
                guard bytes <= range.upperBound else {
                    let most = Quantity.shownBytes(range.upperBound) ?? "\(range.upperBound)"
                    throw Refusal("\(node.shown) is too large (at most \(most))")
                }
                return bytes
            },
            write: { bytes in Quantity.shownBytes(bytes).map { .string($0) } ?? .integer(bytes) })
    }

    /// Bits a second: a number, "1Mbit" or "64KiB/s"; 0 is no limit.
    package static var rate: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                let bits: Int? =
                    switch node.value {
                    case .integer(let number): number
                    case .string(let text): Quantity.bitsPerSecond(text)
                    default: nil
                    }
                guard let bits else {
                    throw Refusal("\(node.shown) is not a rate (bits a second, or like \"1Mbit\" or \"64KiB/s\")")
                }
                guard bits >= 0 else { throw Refusal("\(node.shown) is too small (at least 0)") }
                return bits
            },
            write: { bits in Quantity.shownBits(bits).map { .string($0) } ?? .integer(bits) })
    }
}

extension Kind where Value == Double {
    /// A number within bounds, whole or not.
    package static func number(in range: ClosedRange<Double>) -> Kind {
        Kind(
            read: { (node) throws(Refusal) in
                let number: Double
                switch node.value {
                case .integer(let whole): number = Double(whole)
                case .float(let value) where value.isFinite: number = value
                default: throw Refusal("\(node.shown) is not a number")
                }
                guard range.contains(number) else {
                    throw Refusal("\(node.shown) is out of range (\(range.lowerBound) to \(range.upperBound))")
                }
                return number
            },
            write: { .float($0) })
    }
}

extension Kind where Value == Duration {
    /// Seconds or "250ms".
    package static func time(in range: ClosedRange<Duration>) -> Kind {
        Kind(
            read: { (node) throws(Refusal) in
                let nanoseconds: Int? =
                    switch node.value {
                    case .integer(let number): number.scaledExactly(by: 1_000_000_000)
                    case .float(let number): Int(exactly: (number * 1e9).rounded())
                    case .string(let text): Quantity.nanoseconds(text)
                    default: nil
                    }
                guard let nanoseconds else {
                    throw Refusal("\(node.shown) is not a time (seconds, or like \"250ms\", \"2h\" or \"30d\")")
                }
                let time = Duration.nanoseconds(nanoseconds)
                guard time >= range.lowerBound else {
                    let least = Quantity.shownNanoseconds(range.lowerBound.wholeNanoseconds)
                    throw Refusal("\(node.shown) is too short (at least \(least))")
                }
                guard time <= range.upperBound else {
                    let most = Quantity.shownNanoseconds(range.upperBound.wholeNanoseconds)
                    throw Refusal("\(node.shown) is too long (at most \(most))")
                }
                return time
            },
            write: { .string(Quantity.shownNanoseconds($0.wholeNanoseconds)) })
    }
}

extension Kind where Value == LoopCount {
    /// A number or "auto".
    package static var loops: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                switch node.value {
                case .string("auto"): return .auto
                case .integer(let number) where (1...256).contains(number): return .fixed(number)
                default: throw Refusal("\(node.shown) is not a number of loops (1-256, or \"auto\": one a core)")
                }
            },
            write: { loops in
                switch loops {
                case .fixed(let number): .integer(number)
                case .auto: .string("auto")
                }
            })
    }
}

extension Kind where Value == Endpoint {
    package static var endpoint: Kind {
        Kind(
            read: { (node) throws(Refusal) in try Endpoint(try Kind<String>.text.read(node)) },
            write: { .string($0.description) })
    }
}

extension Kind where Value == UplinkURL {
    package static var uplinkURL: Kind {
        Kind(
            read: { (node) throws(Refusal) in try UplinkURL(try Kind<String>.text.read(node)) },
            write: { .string($0.description) })
    }
}

extension Kind where Value == [DailyWindow] {
    /// "22:00-06:00", or several with commas between; the empty text is none.
    package static var windows: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                let text = try Kind<String>.text.read(node)
                guard !text.isEmpty else { return [] }
                var windows: [DailyWindow] = []
                for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                    let spaceless = part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
                    windows.append(try DailyWindow(String(spaceless)))
                }
                return windows
            },
            write: { .string($0.map(\.description).joined(separator: ", ")) })
    }
}

extension Int {
    fileprivate func scaledExactly(by factor: Int) -> Int? {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }
}
