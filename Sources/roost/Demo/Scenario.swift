/// The story's course: what happens when, in shares of its length.
struct Scenario {
    enum Act: Int, Comparable {
        case starting, flowing, cut, killed, restored, draining, playing

        static func < (left: Act, right: Act) -> Bool { left.rawValue < right.rawValue }
    }

    /// How long the edge stays dead.
    static let deadSeconds = 1.5
    /// After the last arrival the count goes on for so long: something might come twice.
    static let afterglowSeconds = 1.5
    /// A count that doesn't move for so long is final.
    static let patienceSeconds = 20.0

    /// From the first reading to the last, in seconds.
    let seconds: Double

    var cutAt: Double { seconds * 0.2 }
    var killAt: Double { seconds * 0.45 }
    var restoreAt: Double { seconds * 0.65 }
    var stopAt: Double { seconds }

    /// What is to be seen `elapsed` seconds after the first reading.
    func act(at elapsed: Double) -> Act {
        switch elapsed {
        case ..<cutAt: .flowing
        case ..<killAt: .cut
        case ..<restoreAt: .killed
        case ..<stopAt: .restored
        default: .draining
        }
    }
}
