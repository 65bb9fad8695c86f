import Synchronization

/// Whether a loop rests: waits for something to happen, having done all there was to do. For threads that would rather know
/// whether more is about to come; by the time they ask, it may have changed.
public final class LoopRest: Sendable {
    private let flag: Atomic<Bool>

    public init(isResting: Bool = false) { flag = Atomic(isResting) }

    public var isResting: Bool { flag.load(ordering: .relaxed) }

    func set(_ value: Bool) { flag.store(value, ordering: .relaxed) }
}
