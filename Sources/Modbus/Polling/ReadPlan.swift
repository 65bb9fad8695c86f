/// Which requests read a device's points: near ones together, since a request costs a round trip and a register two bytes.
package enum ReadPlan {
    package struct Limits: Equatable, Sendable {
        /// Places that nobody asked for and that are read along, to save a request: registers, and 16 times as many bits.
        package var gap = 10
        package var registers = 125
        package var bits = 2000

        package init() {}

        func most(of table: DataTable) -> Int { table.holdsBits ? bits : registers }
        func gap(in table: DataTable) -> Int { table.holdsBits ? gap * 16 : gap }
    }

    /// One request, and what it reads.
    package struct Block: Equatable, Sendable {
        package var table: DataTable
        package var places: Range<Int>
        package var interval: Duration
        /// Indexes of the device's points.
        package var points: [Int]

        var request: Request {
            .read(table, address: UInt16(truncatingIfNeeded: places.lowerBound), count: places.count)
        }
    }

    /// The fewest requests that keep to the limits; a point is never split, so that its registers are of one instant.
    package static func blocks(_ points: [Point], _ limits: Limits) -> [Block] {
        struct Group: Hashable {
            var table: DataTable
            var interval: Duration
        }
        let groups = Dictionary(grouping: points.indices) {
            Group(table: points[$0].table, interval: points[$0].interval)
        }
        let blocks = groups.flatMap { group, members in
            merge(
                members, points, group.table, group.interval, limits.gap(in: group.table), limits.most(of: group.table))
        }
        return blocks.sorted { ($0.points.first ?? 0) < ($1.points.first ?? 0) }
    }

    private static func merge(
        _ members: [Int], _ points: [Point], _ table: DataTable, _ interval: Duration, _ gap: Int, _ most: Int
    ) -> [Block] {
        var blocks: [Block] = []
        for member in members.sorted(by: { points[$0].address < points[$1].address }) {
            let places = points[member].places
            if let last = blocks.last?.places, places.lowerBound - last.upperBound <= gap,
                max(last.upperBound, places.upperBound) - last.lowerBound <= most
            {
                let place = blocks.count - 1
                blocks[place].places = last.lowerBound..<max(last.upperBound, places.upperBound)
                blocks[place].points.append(member)
            } else {
                blocks.append(Block(table: table, places: places, interval: interval, points: [member]))
            }
        }
        return blocks
    }

    /// What to ask in the place of a block that the device refuses: first without the gaps, which are the likeliest to be
    /// what it lacks, then in halves. Empty: it is a single point, and can't be had.
    package static func split(_ block: Block, _ points: [Point]) -> [Block] {
        let most = block.table.largestRead
        let gapless = merge(block.points, points, block.table, block.interval, 0, most)
        guard gapless.count == 1 else { return gapless }
        // Points may share registers (bits): where they do they stay together, and go apart only by themselves.
        guard block.points.count > 1 else { return [] }
        let ordered = block.points.sorted { points[$0].address < points[$1].address }
        let halves = [ordered[..<(ordered.count / 2)], ordered[(ordered.count / 2)...]]
        let result = halves.flatMap { merge(Array($0), points, block.table, block.interval, 0, most) }
        return result.contains { $0.places == block.places } ? [] : result
    }
}
