import MQTT

/// Every device in one blob of its own, found by its key: no dictionary, and no object but the blob.
struct DeviceTable {
    /// A blob: the key with its length (two bytes) before it, then the device (`Device.encode`). Empty: free.
    private var blobs: [[UInt8]] = []
    private var free: [UInt32] = []
    /// Open addressing: place + 1, or 0.
    private var slots: [UInt32] = Array(repeating: 0, count: 64)
    private(set) var count = 0
    /// Bytes of all blobs.
    private(set) var bytes = 0
    /// Keys are their publishers' to choose.
    private let seed = UInt64.random(in: 0 ... .max)

    /// The place of every device.
    var places: Range<Int> { blobs.indices }

    func find(_ key: [UInt8]) -> Int? {
        let mask = slots.count - 1
        var index = hash(key) & mask
        while slots[index] != 0 {
            let place = Int(slots[index] - 1)
            if isKey(key, of: blobs[place]) { return place }
            index = (index + 1) & mask
        }
        return nil
    }

    /// The device's bytes; nil: the place is free.
    func device(at place: Int) -> ArraySlice<UInt8>? {
        let blob = blobs[place]
        return blob.isEmpty ? nil : blob[(2 + Self.keyCount(blob))...]
    }

    func key(at place: Int) -> ArraySlice<UInt8> {
        let blob = blobs[place]
        return blob.isEmpty ? [] : blob[2..<(2 + Self.keyCount(blob))]
    }

    /// Adds or replaces.
    @discardableResult
    mutating func set(_ key: [UInt8], at known: Int?, _ write: (inout [UInt8]) -> Void) -> Int {
        var blob: [UInt8] = []
        let before = known.map { blobs[$0].count } ?? 0
        blob.reserveCapacity(before > 0 ? before + 16 : key.count + 64)
        blob.append(UInt8(truncatingIfNeeded: key.count))
        blob.append(UInt8(truncatingIfNeeded: key.count >> 8))
        blob.append(contentsOf: key)
        write(&blob)
        // What appending left over would be most of the memory.
        if blob.capacity - blob.count > 64 {
            blob = [UInt8](unsafeUninitializedCapacity: blob.count) { target, count in
                count = target.initialize(fromContentsOf: blob)
            }
        }
        bytes += blob.count - before
        if let known {
            blobs[known] = blob
            return known
        }
        let place: Int
        if let reused = free.popLast() {
            place = Int(reused)
            blobs[place] = blob
        } else {
            place = blobs.count
            blobs.append(blob)
        }
        count += 1
        if count * 2 > slots.count { rebuild(slots.count * 2) } else { insert(place) }
        return place
    }

    mutating func remove(at place: Int) {
        guard !blobs[place].isEmpty else { return }
        vacate(place)
        bytes -= blobs[place].count
        blobs[place] = []
        free.append(UInt32(place))
        count -= 1
    }

    /// Takes the place out of its slot, and moves up who was put off by it.
    private mutating func vacate(_ place: Int) {
        let mask = slots.count - 1
        var hole = hash(Array(key(at: place))) & mask
        while slots[hole] != UInt32(place + 1) { hole = (hole + 1) & mask }
        slots[hole] = 0
        var index = (hole + 1) & mask
        while slots[index] != 0 {
            let home = hash(Array(key(at: Int(slots[index] - 1)))) & mask
            if (index &- home) & mask >= (index &- hole) & mask {
                slots[hole] = slots[index]
                slots[index] = 0
                hole = index
            }
            index = (index + 1) & mask
        }
    }

    private mutating func rebuild(_ size: Int) {
        slots = Array(repeating: 0, count: size)
        for place in blobs.indices where !blobs[place].isEmpty { insert(place) }
    }

    private mutating func insert(_ place: Int) {
        let mask = slots.count - 1
        var index = hash(Array(key(at: place))) & mask
        while slots[index] != 0 { index = (index + 1) & mask }
        slots[index] = UInt32(place + 1)
    }

    private func hash(_ key: [UInt8]) -> Int {
        Int(truncatingIfNeeded: key.withUnsafeBytes { topicHash($0, seed: seed) })
    }

    private static func keyCount(_ blob: [UInt8]) -> Int { Int(blob[0]) | Int(blob[1]) << 8 }

    private func isKey(_ key: [UInt8], of blob: [UInt8]) -> Bool {
        guard Self.keyCount(blob) == key.count else { return false }
        return blob[2..<(2 + key.count)].elementsEqual(key)
    }
}
