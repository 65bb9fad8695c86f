/// The history of a run: always a hash of all that can be seen from outside, and lines to read where they are wanted.
public final class Trace {
    public private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    /// nil: nobody will read them.
    public private(set) var lines: [String]?
    var now: Int64 = 0
    /// Also what the disks do.
    private let isDetailed: Bool

    init(keepsLines: Bool, isDetailed: Bool = false) {
        lines = keepsLines ? [] : nil
        self.isDetailed = isDetailed
    }

    func detail(_ line: @autoclosure () -> String) { if isDetailed { note(line()) } }

    func note(_ line: @autoclosure () -> String) {
        guard lines != nil else { return }
        let milliseconds = now / 1_000_000
        let text = "\(milliseconds / 1000).\(String(1000 + milliseconds % 1000).dropFirst())"
        lines?.append(String(repeating: " ", count: max(0, 9 - text.count)) + text + "  " + line())
    }

    func mix(_ value: UInt64) {
        hash = (hash ^ value) &* 0x0000_0100_0000_01B3
        hash ^= hash >> 29
    }

    func mix(_ value: Int) { mix(UInt64(bitPattern: Int64(value))) }

    func mix(_ bytes: UnsafeRawBufferPointer) {
        mix(bytes.count)
        var offset = 0
        while offset + 8 <= bytes.count {
            mix(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        while offset < bytes.count {
            mix(UInt64(bytes[offset]))
            offset += 1
        }
    }
}
