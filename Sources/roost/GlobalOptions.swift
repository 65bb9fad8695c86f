/// Options that belong to every command may also stand before it, as in `roost --socket PATH status`.
enum GlobalOptions {
    private static let withValue: Set<String> = ["--socket", "--url"]
    private static let flags: Set<String> = ["--json"]

    /// The parser's message under the program's name, as all our own are.
    static func named(_ message: String) -> String {
        message.hasPrefix("Error: ") ? "roost: " + message.dropFirst(7) : message
    }

    /// The arguments with such options moved behind the command's own words, where the parser expects them.
    static func moved(_ arguments: [String]) -> [String] {
        var rest = arguments[...]
        var leading: [String] = []
        while let first = rest.first {
            if withValue.contains(first), rest.count > 1 {
                leading += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else if flags.contains(first) || withValue.contains(where: { first.hasPrefix($0 + "=") }) {
                leading.append(first)
                rest = rest.dropFirst()
            } else {
                break
            }
        }
        guard !leading.isEmpty, !rest.isEmpty else { return arguments }
        let end = rest.firstIndex(of: "--") ?? rest.endIndex
        return Array(rest[..<end]) + leading + Array(rest[end...])
    }
}
