import Testing

@testable import Store

/// Memory that is given back and taken again.
@Suite struct MemoryBlocksTests {
    @Test func blocksOfEverySizeAreTheirOwn() {
        var blocks = MemoryBlocks()
        var taken: [UnsafeMutableRawBufferPointer] = []
        func give(_ block: UnsafeMutableRawBufferPointer, to blocks: inout MemoryBlocks) {
            if let start = block.baseAddress { blocks.deallocate(start, block.count) }
        }
        for round in 0..<3 {
            for count in [1, 63, 64, 65, 128, 1000, 1024, 1025, 100_000] {
                let block = UnsafeMutableRawBufferPointer(start: blocks.allocate(count), count: count)
                block.initializeMemory(as: UInt8.self, repeating: UInt8(round * 16 + taken.count % 16))
                taken.append(block)
            }
            if round == 1 {
                for block in taken { give(block, to: &blocks) }
                taken = []
            }
        }

        for (index, block) in taken.enumerated() {
            #expect(block.allSatisfy { $0 == UInt8(32 + index) })
            give(block, to: &blocks)
        }
    }

    @Test func whatWasGivenBackLastIsTakenFirst() {
        var blocks = MemoryBlocks()
        let first = blocks.allocate(200)
        blocks.deallocate(first, 200)

        let again = blocks.allocate(250)

        #expect(again == first)
        blocks.deallocate(again, 250)
    }
}
