/// Where in their interval requests begin: even for any number of them (the golden ratio's multiples), so that neither a line
/// nor a processor gets everything at once.
package struct Phases {
    private var count = 0

    package init() {}

    mutating func next() -> Double {
        defer { count += 1 }
        return (Double(count) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
    }
}
