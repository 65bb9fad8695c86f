import Glibc
import MQTT

/// Where the waiting message of each topic is, for a route with `keep = "latest"`: an open-addressed table that allocates for
/// a new topic alone.
struct TopicPlaces {
    struct Place {
        let lane: QueueLane
        let number: UInt64
        /// Store time.
        let receivedAt: Int64
    }

    private struct Slot {
        var hash: UInt64 = 0
        var topic: [UInt8] = []
        var place: Place?
    }

    private var slots: [Slot] = Array(repeating: Slot(), count: 64)
    private(set) var count = 0
    private let seed = UInt64.random(in: 0 ... .max)

    /// The topic's place from now on; what it was before.
    mutating func put(_ topic: UnsafeRawBufferPointer, _ place: Place) -> Place? {
        let hash = topicHash(topic, seed: seed)
        let index = find(topic, hash)
        if let old = slots[index].place {
            slots[index].place = place
            return old
        }
        if count * 2 >= slots.count { makeRoom() }
        slots[find(topic, hash)] = Slot(hash: hash, topic: [UInt8](topic), place: place)
        count += 1
        return nil
    }

    func place(of topic: UnsafeRawBufferPointer) -> Place? { slots[find(topic, topicHash(topic, seed: seed))].place }

    private func find(_ topic: UnsafeRawBufferPointer, _ hash: UInt64) -> Int {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while slots[index].place != nil {
            if slots[index].hash == hash, Self.equal(slots[index].topic, topic) { return index }
            index = (index + 1) & mask
        }
        return index
    }

    /// Forgets topics of which nothing waits any more; where that doesn't help, the table grows.
    private mutating func makeRoom() {
        let old = slots.filter { slot in slot.place.map { !$0.lane.isFinished($0.number) } ?? false }
        var size = 64
        while size < old.count * 4 { size *= 2 }
        slots = Array(repeating: Slot(), count: size)
        count = old.count
        let mask = size - 1
        for slot in old {
            var index = Int(truncatingIfNeeded: slot.hash) & mask
            while slots[index].place != nil { index = (index + 1) & mask }
            slots[index] = slot
        }
    }

    private static func equal(_ a: [UInt8], _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count else { return false }
        guard let other = b.baseAddress else { return true }
        return a.withUnsafeBytes { bytes in bytes.baseAddress.map { memcmp($0, other, b.count) == 0 } ?? true }
    }
}
