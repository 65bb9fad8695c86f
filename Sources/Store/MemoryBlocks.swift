import Glibc

/// Memory for small messages, which come and go by the hundred: some of what is given back is kept for those to come.
///
/// `malloc` keeps seven blocks of a size at hand, and takes a hundred instructions and more for the eighth.
/// (`UnsafeMutableRawBufferPointer.allocate` asks it for aligned ones, which takes longer still.)
struct MemoryBlocks: ~Copyable {
    /// By size in steps, the first of a chain of blocks each of which begins with the address of the next.
    private var free: [UnsafeMutableRawPointer?] = Array(repeating: nil, count: Self.largest / Self.step + 1)
    private var keptBytes = 0

    private static let step = 64
    private static let largest = 1024
    private static let maximumKeptBytes = 256 << 10

    deinit {
        for first in free {
            var block = first
            while let kept = block {
                block = kept.load(as: UnsafeMutableRawPointer?.self)
                Glibc.free(kept)
            }
        }
    }

    mutating func allocate(_ count: Int) -> UnsafeMutableRawBufferPointer {
        let steps = (count + Self.step - 1) / Self.step
        if steps < free.count, let kept = free[steps] {
            free[steps] = kept.load(as: UnsafeMutableRawPointer?.self)
            keptBytes -= steps * Self.step
            return UnsafeMutableRawBufferPointer(start: kept, count: count)
        }
        guard let block = malloc(steps < free.count ? steps * Self.step : count) else { fatalError("out of memory") }
        return UnsafeMutableRawBufferPointer(start: block, count: count)
    }

    mutating func deallocate(_ block: UnsafeMutableRawBufferPointer) {
        let steps = (block.count + Self.step - 1) / Self.step
        guard steps > 0, steps < free.count, keptBytes < Self.maximumKeptBytes, let start = block.baseAddress else {
            return Glibc.free(block.baseAddress)
        }
        start.storeBytes(of: free[steps], as: UnsafeMutableRawPointer?.self)
        free[steps] = start
        keptBytes += steps * Self.step
    }
}
