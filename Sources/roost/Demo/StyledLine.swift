/// One line of the view: pieces of text, some in colour. Every character is taken to be one column wide.
struct StyledLine: Equatable {
    private var pieces: [(text: String, colour: Terminal.Colour?)] = []

    init(_ text: String = "", _ colour: Terminal.Colour? = nil) { add(text, colour) }

    var width: Int { pieces.reduce(0) { $0 + $1.text.count } }

    /// Without colour.
    var text: String { pieces.map(\.text).joined() }

    mutating func add(_ text: String, _ colour: Terminal.Colour? = nil) {
        if !text.isEmpty { pieces.append((text, colour)) }
    }

    /// Spaces up to that column.
    mutating func pad(to column: Int) { add(String(repeating: " ", count: max(0, column - width))) }

    /// Cut to `width` columns.
    func rendered(width: Int, coloured: Bool) -> String {
        var rest = width
        var line = ""
        for piece in pieces where rest > 0 {
            let text = String(piece.text.prefix(rest))
            rest -= text.count
            if coloured, let colour = piece.colour {
                line += "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m"
            } else {
                line += text
            }
        }
        return line
    }

    static func == (left: StyledLine, right: StyledLine) -> Bool {
        left.pieces.elementsEqual(right.pieces) { $0 == $1 }
    }
}

extension String {
    /// In lines of at most `width` characters, broken at spaces; a longer word stands alone.
    func wrapped(width: Int) -> [String] {
        var lines: [String] = []
        for word in split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
