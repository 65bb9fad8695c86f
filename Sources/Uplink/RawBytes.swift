import Glibc

/// A growable run of raw memory: what a batch is built in and decompressed to, reused from batch to batch.
struct RawBytes: ~Copyable {
    private(set) var count = 0
    private var start: UnsafeMutableRawPointer?
    private var capacity = 0

    init() {}

    deinit { free(start) }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    /// Forgets the content, keeps the memory.
    mutating func removeAll() { count = 0 }

    /// Gives the memory back.
    mutating func release() {
        free(start)
        start = nil
        capacity = 0
        count = 0
    }

    /// Gives the memory back if there is much of it: one large batch must not cost memory for ever.
    mutating func giveBackIfLarge() { if capacity > 1 << 20 { release() } }

    /// Room for `length` more bytes behind the content; what is written there counts after `commit`.
    mutating func reserve(_ length: Int) -> UnsafeMutableRawPointer {
        if let start, capacity - count >= length { return start + count }
        let wanted = max(capacity * 2, count + length, 256)
        guard let grown = realloc(start, wanted) else { fatalError("out of memory: \(wanted) bytes for a batch") }
        start = grown
        capacity = wanted
        return grown + count
    }

    mutating func commit(_ length: Int) {
        precondition(length <= capacity - count)
        count += length
    }
}
