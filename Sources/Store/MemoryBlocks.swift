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

    mutating func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        let steps = (count + Self.step - 1) / Self.step
        if steps < free.count, let kept = free[steps] {
            free[steps] = kept.load(as: UnsafeMutableRawPointer?.self)
            keptBytes -= steps * Self.step
            return kept
        }
        guard let block = malloc(steps < free.count ? steps * Self.step : count) else { fatalError("out of memory") }
        return block
    }

    /// - Parameter count: as it was allocated with.
    mutating func deallocate(_ block: UnsafeMutableRawPointer, _ count: Int) {
        let steps = (count + Self.step - 1) / Self.step
        guard steps > 0, steps < free.count, keptBytes < Self.maximumKeptBytes else { return Glibc.free(block) }
        block.storeBytes(of: free[steps], as: UnsafeMutableRawPointer?.self)
        free[steps] = block
        keptBytes += steps * Self.step
    }
}
