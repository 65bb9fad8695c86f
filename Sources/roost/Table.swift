/// Text in aligned columns, numbers to the right.
struct Table {
    struct Cell {
        var text: String
        var colour: Terminal.Colour?

        init(_ text: String, _ colour: Terminal.Colour? = nil) {
            self.text = text.printable
            self.colour = colour
        }
    }

    enum Alignment {
        case left, right
    }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[Cell]] = []

    init(_ columns: [(String, Alignment)]) {
        self.columns = columns.map { (title: $0.0, alignment: $0.1) }
    }

    mutating func add(_ cells: [Cell]) { rows.append(cells) }

    /// The lines, without a newline at the end; titles in capitals first.
    var text: String { text(coloured: Terminal.hasColour) }

    func text(coloured: Bool) -> String {
        let header = columns.map { Cell($0.title.uppercased(), .dim) }
        let all = [header] + rows
        let widths = columns.indices.map { column in all.map { $0[column].text.count }.max() ?? 0 }
        return all.map { line(of: $0, widths, coloured) }.joined(separator: "\n")
    }

    private func line(of cells: [Cell], _ widths: [Int], _ coloured: Bool) -> String {
        var line = ""
        for (column, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: widths[column] - cell.text.count)
            let isLast = column == cells.count - 1
            if columns[column].alignment == .right { line += padding }
            line += coloured ? Terminal.paint(cell.text, cell.colour) : cell.text
            if columns[column].alignment == .left && !isLast { line += padding }
            if !isLast { line += "  " }
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}
