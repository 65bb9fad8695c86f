import Store

/// How receivers' intervals lie in the store, under `StateKind.receiver`.
extension ReceiverKey {
    public var encoded: [UInt8] {
        var writer = StateWriter()
        writer.append(node)
        writer.append(route)
        writer.append(run.epoch)
        writer.append(UInt64(run.lane))
        return writer.bytes
    }

    /// nil where the bytes are not what `encoded` makes.
    public init?(decoding bytes: [UInt8]) {
        var reader = StateReader(bytes)
        guard let node = reader.text(), let route = reader.text(), let epoch = reader.number(),
            let lane = reader.number().flatMap({ UInt16(exactly: $0) }), reader.isAtEnd
        else { return nil }
        self.init(node: node, route: route, run: BatchRun(epoch: epoch, lane: lane))
    }
}

extension ReceiverState {
    private static let version: UInt64 = 1

    public var encoded: [UInt8] {
        var writer = StateWriter()
        writer.append(Self.version)
        writer.append(highest)
        writer.append(madeAt)
        writer.append(signed: changedAt)
        writer.append(ended == nil ? 0 : ended?.last == nil ? 1 : 2)
        if let ended {
            writer.append(ended.at)
            if let last = ended.last { writer.append(last) }
        }
        writer.append(UInt64(received.intervals.count))
        var before: UInt64 = 0
        for interval in received.intervals {
            writer.append(interval.lowerBound - before)
            writer.append(interval.upperBound - interval.lowerBound)
            before = interval.upperBound
        }
        writer.append(UInt64(gaps.count))
        before = 0
        for gap in gaps {
            writer.append(gap.first - before)
            writer.append(gap.last - gap.first)
            writer.append(gap.reason)
            writer.append(gap.from)
            writer.append(gap.to)
            before = gap.last
        }
        return writer.bytes
    }

    /// nil where the bytes are not what `encoded` makes.
    public init?(decoding bytes: [UInt8]) {
        var reader = StateReader(bytes)
        self.init()
        guard reader.number() == Self.version, let highest = reader.number(), let madeAt = reader.time(),
            let changedAt = reader.signed(), let ending = reader.number(), ending <= 2
        else { return nil }
        self.highest = highest
        self.madeAt = madeAt
        self.changedAt = changedAt
        if ending > 0 {
            guard let at = reader.time() else { return nil }
            ended = Ended(last: nil, at: at)
            if ending == 2 {
                guard let last = reader.number() else { return nil }
                ended?.last = last
            }
        }
        guard let intervals = Self.ranges(&reader, { _, range in range }) else { return nil }
        received = IntervalSet(intervals)
        let gaps = Self.ranges(&reader) { reader, range -> Gap? in
            guard let reason = reader.text(), let from = reader.time(), let to = reader.time() else { return nil }
            return Gap(first: range.lowerBound, last: range.upperBound, reason: reason, from: from, to: to)
        }
        guard let gaps, reader.isAtEnd else { return nil }
        self.gaps = gaps
    }

    /// A count, then ascending disjoint ranges as steps, each with what `make` reads behind it.
    private static func ranges<Element>(
        _ reader: inout StateReader, _ make: (inout StateReader, ClosedRange<UInt64>) -> Element?
    ) -> [Element]? {
        guard let count = reader.number() else { return nil }
        var elements: [Element] = []
        var before: UInt64 = 0
        for _ in 0..<min(count, UInt64(Int.max)) {
            guard let step = reader.number(), let length = reader.number() else { return nil }
            let (first, overflow) = before.addingReportingOverflow(step)
            let (last, beyond) = first.addingReportingOverflow(length)
            guard !overflow, !beyond, step > 0, let element = make(&reader, first...last) else { return nil }
            elements.append(element)
            before = last
        }
        return elements
    }
}
