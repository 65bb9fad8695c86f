import Glibc
import Testing

@testable import EventLoop

private func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    guard left.count == right.count else { return false }
    guard let first = left.baseAddress, let second = right.baseAddress else { return true }
    return memcmp(first, second, left.count) == 0
}

@Suite struct ByteBufferTests {
    @Test(arguments: 0..<8)
    func behavesLikeAnArray(_ seed: Int) {
        var random = SplitMix64(state: UInt64(seed))
        var buffer = ByteBuffer()
        var model: [UInt8] = []

        for _ in 0..<500 {
            let size = Int.random(in: 0...(1 << Int.random(in: 0...14, using: &random)), using: &random)
            let byte = UInt8.random(in: 0...255, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1:
                let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) &+ byte }
                buffer.append(bytes)
                model += bytes
            case 2:
                buffer.append(byte: byte)
                model.append(byte)
            case 3:
                let taken = size / 2
                buffer.reserve(size).initializeMemory(as: UInt8.self, repeating: byte, count: size)
                buffer.commit(taken)
                model += [UInt8](repeating: byte, count: taken)
            case 4, 5:
                let count = min(size * 2, model.count)
                buffer.consume(count)
                model.removeFirst(count)
            case 6: buffer.settle()
            default:
                guard size < 20 else { continue }
                buffer.removeAll()
                model = []
            }
            #expect(buffer.count == model.count)
            #expect(buffer.isEmpty == model.isEmpty)
            #expect(buffer.withBytes { bytes in model.withUnsafeBytes { isEqual(bytes, $0) } })
        }
    }

    @Test func emptyAndLargeGivesItsBlockBack() {
        var buffer = ByteBuffer()
        buffer.append([UInt8](repeating: 1, count: 200_000))
        buffer.consume(200_000)
        #expect(buffer.capacity == 0)
    }

    @Test func settlingFreesWhatIsIdle() {
        var buffer = ByteBuffer()
        buffer.append([1, 2, 3])
        buffer.consume(3)
        buffer.settle()
        #expect(buffer.capacity == 0)

        buffer.append([UInt8](repeating: 1, count: 60_000))
        buffer.consume(59_990)
        buffer.settle()
        #expect(buffer.capacity == 256)
        #expect(buffer.count == 10)
    }
}
