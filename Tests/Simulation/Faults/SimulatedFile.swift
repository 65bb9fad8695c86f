/// One file of a simulated disk: what programs see of it, and what is on the medium.
///
/// A write lands in the operating system's cache and waits there for a sync. Power loss takes any part of what waits, in
/// sectors; a process that is killed takes nothing.
final class SimulatedFile {
    enum Unsynced {
        case write(offset: Int, bytes: [UInt8])
        case truncate(Int)
    }

    static let sectorBytes = 512

    let name: String
    /// What programs read.
    private(set) var content: [UInt8] = []
    /// What is on the medium.
    private(set) var durable: [UInt8] = []
    private var unsynced: [Unsynced] = []
    /// The directory entry is on the medium.
    private(set) var isDurable = false
    /// A journal or WAL that was made and not synced yet.
    var isNewLog = false

    init(_ name: String) { self.name = name }

    func read(_ target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        let count = max(0, min(target.count, content.count - offset))
        if count > 0 {
            content.withUnsafeBytes { target.copyMemory(from: .init(rebasing: $0[offset..<offset + count])) }
        }
        return count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        Self.write(bytes, at: offset, to: &content)
        unsynced.append(.write(offset: offset, bytes: [UInt8](bytes)))
    }

    func truncate(to size: Int) {
        guard size < content.count else { return }
        content.removeLast(content.count - size)
        unsynced.append(.truncate(size))
    }

    func sync() {
        for operation in unsynced { Self.apply(operation, to: &durable) }
        unsynced = []
        isDurable = true
    }

    /// A sync that fails: the kernel marks all that waits as clean, though the medium got only a part of it. Later syncs
    /// succeed without the rest, which is there to be read until the power goes.
    func failSync(_ random: inout SimulationRandom) {
        keepPart(&random)
        unsynced = []
    }

    /// Back to the medium, with whatever part of the rest had reached it. False: the file itself is gone.
    func losePower(_ random: inout SimulationRandom) -> Bool {
        let hasNothing = !isDurable && (unsynced.isEmpty || random.oneIn(2))
        keepPart(&random)
        unsynced = []
        content = durable
        isDurable = true
        return !hasNothing
    }

    /// Any subset of the sectors that wait reaches the medium.
    private func keepPart(_ random: inout SimulationRandom) {
        // All, nothing, most, few: the extremes are likelier in life than a fair coin makes them.
        let parts = random.pick([0, 0, 10, 50, 90, 100])
        func isKept() -> Bool { random.below(100) < parts }
        for operation in unsynced {
            guard case .write(let offset, let bytes) = operation else {
                if isKept() { Self.apply(operation, to: &durable) }
                continue
            }
            var start = offset
            while start < offset + bytes.count {
                let end = min((start / Self.sectorBytes + 1) * Self.sectorBytes, offset + bytes.count)
                if isKept() {
                    bytes.withUnsafeBytes {
                        Self.write(.init(rebasing: $0[start - offset..<end - offset]), at: start, to: &durable)
                    }
                }
                start = end
            }
        }
    }

    private static func apply(_ operation: Unsynced, to image: inout [UInt8]) {
        switch operation {
        case .write(let offset, let bytes): bytes.withUnsafeBytes { write($0, at: offset, to: &image) }
        case .truncate(let size): if size < image.count { image.removeLast(image.count - size) }
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, at offset: Int, to image: inout [UInt8]) {
        while image.count < offset { image.append(contentsOf: zeros.prefix(offset - image.count)) }
        let count = min(bytes.count, image.count - offset)
        if count > 0 {
            image.withUnsafeMutableBytes {
                UnsafeMutableRawBufferPointer(rebasing: $0[offset..<offset + count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            }
        }
        // Appending byte by byte, or from what is no memory, took half of a debug build's time.
        if count < bytes.count { image.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[count...])) }
    }

    private static let zeros = [UInt8](repeating: 0, count: 4096)
}
