import Glibc

/// Bytes in one raw block: appended at the end, consumed from the front. Grows by doubling; gives its block back when it
/// is empty and large, or when its owner says that nothing more is to come. Moving bytes to the front and growing are
/// both paid for by bytes consumed or appended before, so no pattern of use is quadratic.
///
/// A large block grows where it is, or with its pages (`realloc`): fifty subscribers that stop reading at once would otherwise have
/// their output copied at once, each time it doubles, and everybody else would wait for it.
public struct ByteBuffer: ~Copyable {
    /// A block at least this large is given back as soon as the buffer is empty.
    private static let largeBlock = 64 * 1024
    private static let smallestBlock = 256

    @usableFromInline var block: UnsafeMutableRawPointer?
    @usableFromInline var start = 0
    @usableFromInline var end = 0

    /// Bytes in the block.
    public internal(set) var capacity = 0

    /// How far the block was filled when it was last emptied: the size the next one starts with, so that a connection with
    /// steady bursts doesn't grow through every size each time.
    private var hint: Int32 = 0

    public init() {}

    deinit {
        free(block)
    }

    @inlinable
    public var count: Int { end - start }
    @inlinable
    public var isEmpty: Bool { end == start }

    @inlinable
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        reserve(bytes.count).copyMemory(from: source, byteCount: bytes.count)
        end += bytes.count
    }

    @inlinable
    public mutating func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { append($0) }
    }

    @inlinable
    public mutating func append(byte: UInt8) {
        reserve(1).storeBytes(of: byte, as: UInt8.self)
        end += 1
    }

    /// Room for `count` bytes behind the last; the pointer is valid until the buffer is next changed. Fill it, then
    /// `commit(_:)`.
    @inlinable
    public mutating func reserve(_ count: Int) -> UnsafeMutableRawPointer {
        if let block, capacity - end >= count { return block + end }
        return makeRoom(count)
    }

    /// Takes the first `count` bytes of what `reserve(_:)` gave as appended.
    @inlinable
    public mutating func commit(_ count: Int) {
        precondition(count >= 0 && count <= capacity - end, "committed more than was reserved")
        end += count
    }

    @inlinable
    public func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(bytes)
    }

    /// Drops `count` bytes from the front.
    public mutating func consume(_ count: Int) {
        precondition(count >= 0 && count <= self.count, "consumed more than there is")
        start += count
        guard start == end else { return }
        hint = Int32(min(end, ByteBuffer.largeBlock))
        start = 0
        end = 0
        if capacity >= ByteBuffer.largeBlock { releaseBlock() }
    }

    /// Drops all bytes and the block.
    public mutating func removeAll() {
        start = 0
        end = 0
        releaseBlock()
    }

    // MARK: - For streams

    /// The bytes where they are; valid until the buffer is next changed.
    @usableFromInline
    var bytes: UnsafeRawBufferPointer {
        guard let block else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: block + start, count: end - start)
    }

    /// Bytes that can be appended without another block.
    var spare: Int { capacity - end }

    /// Replaces all bytes, which may not be the buffer's own.
    mutating func replace(with bytes: UnsafeRawBufferPointer) {
        start = 0
        end = 0
        append(bytes)
    }

    /// Gives back what isn't needed while nothing happens: the block when it is empty, most of it when it is mostly empty.
    mutating func settle() {
        if isEmpty {
            removeAll()
        } else if capacity > 16 * 1024 && count < capacity / 8 {
            moveToBlock(ofAtLeast: count)
        }
    }

    // MARK: - Blocks

    @usableFromInline
    mutating func makeRoom(_ room: Int) -> UnsafeMutableRawPointer {
        precondition(room >= 0, "room for a negative count")
        guard let block else {
            moveToBlock(ofAtLeast: max(room, Int(hint)))
            return makeRoom(room)
        }
        if capacity - end >= room { return block + end }
        let used = end - start
        if capacity - used >= room && start >= used {
            block.copyMemory(from: block + start, byteCount: used)
            start = 0
            end = used
        } else {
            moveToBlock(ofAtLeast: max(used + room, 2 * used))
        }
        return makeRoom(room)
    }

    private mutating func moveToBlock(ofAtLeast size: Int) {
        var newCapacity = ByteBuffer.smallestBlock
        while newCapacity < size { newCapacity *= 2 }
        let used = end - start
        if start == 0, newCapacity > capacity, capacity >= ByteBuffer.largeBlock {
            block = ByteBuffer.obtained(realloc(block, newCapacity))
        } else {
            let newBlock = ByteBuffer.obtained(malloc(newCapacity))
            if let block {
                newBlock.copyMemory(from: block + start, byteCount: used)
                free(block)
            }
            block = newBlock
        }
        capacity = newCapacity
        start = 0
        end = used
    }

    private mutating func releaseBlock() {
        free(block)
        block = nil
        capacity = 0
    }

    private static func obtained(_ memory: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer {
        guard let memory else { fatalError("out of memory") }
        return memory
    }
}
