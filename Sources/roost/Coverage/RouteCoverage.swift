/// What has arrived of one node's route, all its runs together: as a line, and as a story.
struct RouteCoverage {
    let node: String
    let route: String
    /// In the order in which they began.
    let runs: [CoverageDocument]

    static func routes(of runs: [CoverageDocument]) -> [RouteCoverage] {
        var names: [[String]] = []
        var found: [[String]: [CoverageDocument]] = [:]
        for run in runs {
            let name = [run.node, run.route]
            if found[name] == nil { names.append(name) }
            found[name, default: []].append(run)
        }
        return names.map { RouteCoverage(node: $0[0], route: $0[1], runs: found[$0] ?? []) }
    }

    var arrived: Int64 { runs.reduce(0) { $0 + $1.spans.reduce(0) { $0 + $1.count } } }
    var missing: Int64 { runs.reduce(0) { $0 + $1.missing.reduce(0) { $0 + $1.count } } }

    var lostByReason: [(reason: String, count: Int64)] {
        var counts: [String: Int64] = [:]
        for gap in runs.flatMap(\.gaps) { counts[gap.reason, default: 0] += gap.count }
        return counts.sorted { $0.key < $1.key }.map { (reason: $0.key, count: $0.value) }
    }

    var from: NodeTime? { runs.lazy.compactMap { $0.spans.first?.from }.first { $0.isSet } }
    var to: NodeTime? {
        let ends = runs.flatMap { [$0.spans.last?.to, $0.quietAt] }.compactMap { $0 }.filter(\.isSet)
        return ends.max { $0.milliseconds < $1.milliseconds }
    }

    // MARK: - The story

    struct Entry: Equatable {
        var when: String
        var what: String
        var colour: Terminal.Colour?
    }

    /// One after the other: what is complete, what is lost and why, what is missing.
    var entries: [Entry] {
        var story = Story()
        for run in runs { story.add(run) }
        story.close()
        return story.entries
    }

    /// Gathers spans that follow each other without a gap, over runs that ended in good order, into one entry.
    private struct Story {
        private(set) var entries: [Entry] = []
        private var open: (from: NodeTime, to: NodeTime, count: Int64)?

        private enum Piece {
            case span(CoverageDocument.Range)
            case gap(CoverageDocument.Gap)
            case missing(CoverageDocument.Range)

            var first: UInt64 {
                switch self {
                case .span(let range), .missing(let range): range.first
                case .gap(let gap): gap.first
                }
            }
        }

        mutating func add(_ run: CoverageDocument) {
            let pieces =
                run.spans.map(Piece.span) + run.gaps.map(Piece.gap) + run.missing.map(Piece.missing)
            let sorted = pieces.sorted { $0.first < $1.first }
            for (index, piece) in sorted.enumerated() {
                switch piece {
                case .span(let span): add(span, run)
                case .gap(let gap): add(gap)
                case .missing(let range): add(range, behind: Self.time(before: index, sorted))
                }
            }
            if let quiet = run.quietAt, let last = open { extend(last, to: quiet) }
            guard case .unknown = run.ended else { return }
            close()
            entries.append(
                Entry(
                    when: run.endedAt?.text ?? "",
                    what:
                        "stopped without warning before this; of its last moments messages may be missing that nobody had acknowledged",
                    colour: .yellow))
        }

        private mutating func add(_ span: CoverageDocument.Range, _ run: CoverageDocument) {
            let from = span.from ?? run.at
            let to = span.to ?? run.at
            if let last = open {
                open = (last.from, to, last.count + span.count)
            } else {
                open = (from, to, span.count)
            }
        }

        private mutating func extend(_ last: (from: NodeTime, to: NodeTime, count: Int64), to quiet: NodeTime) {
            guard quiet.isSet, !last.to.isSet || quiet.milliseconds > last.to.milliseconds else { return }
            open = (last.from, quiet, last.count)
        }

        private mutating func add(_ gap: CoverageDocument.Gap) {
            close()
            let what = "\(Self.messages(gap.count)) lost: \(gap.reason)"
            entries.append(Entry(when: Self.period(gap.from, gap.to), what: what, colour: .red))
        }

        private mutating func add(_ range: CoverageDocument.Range, behind time: NodeTime?) {
            close()
            let numbers =
                range.first == range.last ? "number \(range.first)" : "numbers \(range.first) to \(range.last)"
            entries.append(
                Entry(
                    when: time.map { "after \($0.text)" } ?? "",
                    what: "\(Self.messages(range.count)) missing: \(numbers)",
                    colour: .yellow))
        }

        mutating func close() {
            guard let last = open else { return }
            open = nil
            entries.append(
                Entry(
                    when: Self.period(last.from, last.to), what: "complete, \(Self.messages(last.count))",
                    colour: .green))
        }

        private static func time(before index: Int, _ pieces: [Piece]) -> NodeTime? {
            for piece in pieces[..<index].reversed() {
                switch piece {
                case .span(let span): return span.to
                case .gap(let gap): return gap.to
                case .missing: continue
                }
            }
            return nil
        }

        private static func period(_ from: NodeTime, _ to: NodeTime) -> String {
            if !from.isSet, !to.isSet { return "(clock not set)" }
            // A clock that was set back meanwhile.
            let backwards = from.isSet && to.isSet && from.milliseconds > to.milliseconds
            let (from, to) = backwards ? (to, from) : (from, to)
            return "\(from.text) - \(to.text(after: from))"
        }

        private static func messages(_ count: Int64) -> String {
            count == 1 ? "1 message" : "\(Quantities.count(count)) messages"
        }
    }
}
