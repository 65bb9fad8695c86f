/// Finds the word that a misspelt one was meant to be.
package enum Spelling {
    /// The candidate with the least edits, if these are at most a third of the letters.
    package static func nearest(to word: String, in candidates: [String]) -> String? {
        let word = Array(word.lowercased().utf8)
        guard word.count <= 64 else { return nil }
        var best: (distance: Int, word: String)?
        for candidate in candidates {
            let letters = Array(candidate.utf8)
            // A word cut short ("warn") is meant as the whole one.
            let distance = word.count > 2 && letters.starts(with: word) ? 1 : edits(word, letters)
            if distance <= best.map({ $0.distance - 1 }) ?? ((max(word.count, letters.count) + 2) / 3) {
                best = (distance, candidate)
            }
        }
        return best?.word
    }

    /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
    static func edits(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var rows = [Array(0...b.count)]
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var least = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, rows[i - 1][j - 1] + 1) }
                row.append(least)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
