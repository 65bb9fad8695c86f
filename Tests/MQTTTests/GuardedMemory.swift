import Glibc

/// Memory that ends where an unmapped page begins: a read beyond it ends the process, in any build.
final class GuardedMemory {
    private let start: UnsafeMutableRawPointer
    private let mapped: Int
    private let usable: Int

    init(atLeast count: Int) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        usable = (count + page - 1) / page * page
        mapped = usable + page
        start = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        precondition(start != MAP_FAILED && mprotect(start + usable, page, PROT_NONE) == 0)
    }

    deinit { munmap(start, mapped) }

    /// A copy of `bytes` whose last byte is the last that may be read.
    func place(_ bytes: some Collection<UInt8>) -> UnsafeRawBufferPointer {
        precondition(bytes.count <= usable)
        let target = UnsafeMutableRawBufferPointer(start: start + usable - bytes.count, count: bytes.count)
        target.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(target)
    }
}
