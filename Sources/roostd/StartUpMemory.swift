import CLinux
import Glibc

/// Gives the kernel back the program pages that only starting needed (reading the configuration, opening the store). They
/// are clean copies of the file: whatever is needed again is mapped again, at a microsecond each. On a small gateway they
/// are the larger part of an idle daemon.
enum StartUpMemory {
    static func release() {
        guard let headers = UnsafePointer<Elf64_Phdr>(bitPattern: getauxval(UInt(AT_PHDR))) else { return }
        let table = UnsafeBufferPointer(start: headers, count: Int(getauxval(UInt(AT_PHNUM))))
        guard let own = table.first(where: { $0.p_type == UInt32(PT_PHDR) }) else { return }
        let base = UInt(bitPattern: headers) - UInt(own.p_vaddr)
        let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
        // What is writable, or was while it was relocated, holds more than the file does.
        for header in table where header.p_type == UInt32(PT_LOAD) && header.p_flags & UInt32(PF_W) == 0 {
            let start = (base + UInt(header.p_vaddr) + page - 1) / page * page
            let end = (base + UInt(header.p_vaddr) + UInt(header.p_filesz)) / page * page
            guard end > start, let address = UnsafeMutableRawPointer(bitPattern: start) else { continue }
            madvise(address, Int(end - start), MADV_DONTNEED)
        }
    }
}
