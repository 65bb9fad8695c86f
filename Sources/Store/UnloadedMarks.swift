/// What is remembered of some of a stream's messages that have left memory: how old what waits on disk is, and where it stands
/// among other streams' messages.
struct UnloadedMarks {
    struct Mark: Equatable {
        var number: UInt64
        /// Store time.
        var receivedAt: Int64
        /// 0 for what an earlier run left.
        var laneSequence: UInt64
    }

    private var marks: [Mark] = []
    private static let maximumMarks = 256

    /// - Parameter mark: of a higher number than all before.
    mutating func add(_ mark: Mark) {
        if marks.count >= Self.maximumMarks {
            marks = marks.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
        }
        marks.append(mark)
    }

    /// The last mark at `number` or before it; nil: there is none.
    func mark(_ number: UInt64) -> Mark? { marks.last { $0.number <= number } }

    /// Nobody asks for what is below. The mark before it stays, which stands for it.
    mutating func forget(below number: UInt64) {
        guard let kept = marks.lastIndex(where: { $0.number <= number }), kept > 0 else { return }
        marks.removeFirst(kept)
    }
}
