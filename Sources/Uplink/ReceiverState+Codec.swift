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
    /// Version 1 had no times of spans, and nothing that is folded, forgotten or quiet.
    private static let version: UInt64 = 2

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
        writer.append(UInt64(spans.count))
        var before: UInt64 = 0
        for span in spans {
            writer.append(span.first - before)
            writer.append(span.last - span.first)
            writer.append(span.from)
            writer.append(span.to)
            before = span.last
        }
        Self.append(gaps, to: &writer)
        Self.append(foldedGaps.sorted { $0.first < $1.first }, to: &writer)
        writer.append(forgottenThrough)
        writer.append(quiet?.next ?? 0)
        if let quiet { writer.append(quiet.at) }
        return writer.bytes
    }

    private static func append(_ gaps: [Gap], to writer: inout StateWriter) {
        writer.append(UInt64(gaps.count))
        for gap in gaps {
            writer.append(gap.first)
            writer.append(gap.last - gap.first)
            writer.append(gap.reason)
            writer.append(gap.from)
            writer.append(gap.to)
        }
    }

    /// nil where the bytes are not what `encoded` makes.
    public init?(decoding bytes: [UInt8]) {
        var reader = StateReader(bytes)
        self.init()
        guard let version = reader.number(), 1...Self.version ~= version, let highest = reader.number(),
            let madeAt = reader.time(), let changedAt = reader.signed(), let ending = reader.number(), ending <= 2
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
        guard decodeRanges(&reader, version), reader.isAtEnd else { return nil }
    }

    private mutating func decodeRanges(_ reader: inout StateReader, _ version: UInt64) -> Bool {
        let unknown = WallTime(milliseconds: 0, isSet: false)
        let spans = Self.ranges(&reader, areSteps: true) { reader, range -> Span? in
            guard version > 1 else {
                return Span(first: range.lowerBound, last: range.upperBound, from: unknown, to: madeAt)
            }
            guard let from = reader.time(), let to = reader.time() else { return nil }
            return Span(first: range.lowerBound, last: range.upperBound, from: from, to: to)
        }
        guard let spans, let gaps = Self.gaps(&reader, areSteps: version == 1) else { return false }
        self.spans = spans
        self.gaps = gaps
        guard version > 1 else { return true }
        guard let folded = Self.gaps(&reader, areSteps: false, overlap: true), let forgotten = reader.number(),
            let next = reader.number()
        else { return false }
        foldedGaps = folded
        forgottenThrough = forgotten
        guard next > 0 else { return true }
        guard let at = reader.time() else { return false }
        quiet = Quiet(next: next, at: at)
        return true
    }

    private static func gaps(_ reader: inout StateReader, areSteps: Bool, overlap: Bool = false) -> [Gap]? {
        ranges(&reader, areSteps: areSteps, overlap: overlap) { reader, range -> Gap? in
            guard let reason = reader.text(), let from = reader.time(), let to = reader.time() else { return nil }
            return Gap(first: range.lowerBound, last: range.upperBound, reason: reason, from: from, to: to)
        }
    }

    /// A count, then ascending ranges (as steps from the end of the one before, or as they are), each with what `make` reads
    /// behind it.
    private static func ranges<Element>(
        _ reader: inout StateReader, areSteps: Bool, overlap: Bool = false,
        _ make: (inout StateReader, ClosedRange<UInt64>) -> Element?
    ) -> [Element]? {
        guard let count = reader.number() else { return nil }
        var elements: [Element] = []
        var before: UInt64 = 0
        for _ in 0..<min(count, UInt64(Int.max)) {
            guard let start = reader.number(), let length = reader.number() else { return nil }
            let (first, overflow) = (areSteps ? before : 0).addingReportingOverflow(start)
            let (last, beyond) = first.addingReportingOverflow(length)
            guard !overflow, !beyond, first > (overlap ? 0 : before), let element = make(&reader, first...last) else {
                return nil
            }
            elements.append(element)
            before = last
        }
        return elements
    }
}
