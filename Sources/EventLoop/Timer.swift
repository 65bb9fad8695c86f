/// Names one scheduled call, for `EventLoop.cancel(_:)`. A small value: keep it, copy it, drop it. A token whose call has
/// run or been cancelled names nothing, even when its place has been reused.
public struct Timer: Hashable, Sendable {
    let index: UInt32
    let generation: UInt32

    /// Names no call.
    public static var none: Timer { Timer(index: .max, generation: 0) }
}
