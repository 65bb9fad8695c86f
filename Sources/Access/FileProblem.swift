/// What is wrong with a file of the access rules, and where.
public struct FileProblem: Error, Equatable, Sendable, CustomStringConvertible {
    public var path: String
    /// From 1; nil: the file as a whole.
    public var line: Int?
    public var text: String

    public init(_ path: String, line: Int? = nil, _ text: String) {
        self.path = path
        self.line = line
        self.text = text
    }

    /// `conf/passwd:3: no hash behind the name`
    public var description: String { "\(path)\(line.map { ":\($0)" } ?? ""): \(text)" }
}
