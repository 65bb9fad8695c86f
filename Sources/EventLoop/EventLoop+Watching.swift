/// Told when a descriptor it watches is ready. On the loop.
public protocol DescriptorHandler: AnyObject {
    func descriptorIsReady(_ readiness: Readiness)
}

/// Names one watched descriptor. A token whose descriptor is no longer watched names nothing, even when the kernel has
/// given the number to somebody else: an event that was fetched before an `unwatch` in the same tick goes nowhere.
public struct Watch: Hashable, Sendable {
    let index: UInt32
    let generation: UInt32

    var token: UInt64 { UInt64(generation) << 32 | UInt64(index) }

    /// Names no descriptor.
    public static var none: Watch { Watch(index: .max, generation: 0) }
}

extension EventLoop {
    /// Calls `handler` in every tick in which `descriptor` is ready for `interest`; holds on to the handler until
    /// `unwatch(_:)`.
    public func watch(
        descriptor: Int32, _ interest: Interest, handler: any DescriptorHandler
    ) throws(SystemError) -> Watch {
        let watch = watches.insert(handler, descriptor: descriptor)
        do throws(SystemError) {
            try poller.add(descriptor, interest, token: watch.token)
        } catch {
            _ = watches.remove(watch)
            throw error
        }
        return watch
    }

    /// Changes what the descriptor is watched for.
    public func change(_ watch: Watch, _ interest: Interest) throws(SystemError) {
        guard let descriptor = watches.descriptor(of: watch) else { return }
        try poller.change(descriptor, interest, token: watch.token)
    }

    /// Ends the watch, before the descriptor is closed; harmless when it has ended.
    public func unwatch(_ watch: Watch) {
        // The handler outlives the access to the table: it may unwatch others as it goes.
        let handler = watches.handler(for: watch.token)
        guard let descriptor = watches.remove(watch) else { return }
        poller.remove(descriptor)
        withExtendedLifetime(handler) {}
    }
}

/// The watched descriptors, by slot; a slot's generation changes with every use.
struct WatchTable {
    private struct Slot {
        var handler: (any DescriptorHandler)?
        var descriptor: Int32
        var generation: UInt32
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []

    func handler(for token: UInt64) -> (any DescriptorHandler)? {
        let index = Int(truncatingIfNeeded: token & 0xFFFF_FFFF)
        guard index < slots.count, slots[index].generation == UInt32(token >> 32) else { return nil }
        return slots[index].handler
    }

    func descriptor(of watch: Watch) -> Int32? {
        guard handler(for: watch.token) != nil else { return nil }
        return slots[Int(watch.index)].descriptor
    }

    mutating func insert(_ handler: any DescriptorHandler, descriptor: Int32) -> Watch {
        if let index = free.popLast() {
            slots[Int(index)].handler = handler
            slots[Int(index)].descriptor = descriptor
            return Watch(index: index, generation: slots[Int(index)].generation)
        }
        slots.append(Slot(handler: handler, descriptor: descriptor, generation: 1))
        return Watch(index: UInt32(slots.count - 1), generation: 1)
    }

    mutating func remove(_ watch: Watch) -> Int32? {
        guard let descriptor = descriptor(of: watch) else { return nil }
        slots[Int(watch.index)].handler = nil
        slots[Int(watch.index)].generation &+= 1
        free.append(watch.index)
        return descriptor
    }

    /// Forgets all handlers and returns the descriptors that had one.
    mutating func removeAll() -> [Int32] {
        let descriptors = slots.filter { $0.handler != nil }.map(\.descriptor)
        slots = []
        free = []
        return descriptors
    }
}
