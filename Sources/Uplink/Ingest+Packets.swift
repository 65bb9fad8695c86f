import MQTT

/// The packets of a batch as they are to be published: which are taken, under which topics, with which properties.
extension Ingest {
    /// The packets whose numbers are new, as they are to be published; valid until the next batch is opened.
    func views(
        of batch: BatchReader.Opened, new: [ClosedRange<UInt64>], from publisher: any BatchPublisher
    ) throws(BatchRefusal) -> (messages: [PublishView], repeated: Int, looped: Int) {
        try prepareMapping(for: batch.header.node)
        guard !new.isEmpty else { return ([], batch.count, 0) }
        var views: [PublishView] = []
        views.reserveCapacity(new.reduce(0) { $0 + $1.count })
        scratch.removeAll()
        if !mapping.isIdentity || !options.stamp {
            // Reserved whole, so that what points into it stays where it is.
            _ = scratch.reserve(mapping.capacity(topicBytes: batch.byteCount, count: batch.count) + batch.byteCount)
        }
        var number = batch.header.sequence
        var range = 0
        var repeated = 0
        var looped = 0
        for packet in batch.packets {
            defer { number += 1 }
            while range < new.count, new[range].upperBound < number { range += 1 }
            guard range < new.count, new[range].contains(number) else {
                repeated += 1
                continue
            }
            guard !Self.names(via, in: packet.properties) else {
                looped += 1
                continue
            }
            var view = packet
            let isOwn = view.topic.first == UInt8(ascii: "$") && options.allowsReserved(view.topic, batch.header.node)
            if !isOwn { try checkReserved(view.topic) }
            if !mapping.isIdentity, !isOwn {
                view.topic = mapped(view.topic)
                guard TopicName.isValid(view.topic) else {
                    throw .structure("a topic that can't be mapped", offset: 0)
                }
                try checkReserved(view.topic)
            }
            guard publisher.mayPublish(to: view.topic) else {
                throw .topic(String(decoding: view.topic, as: UTF8.self))
            }
            if !options.stamp { view.properties = withoutTime(view.properties) }
            views.append(view)
        }
        return (views, repeated, looped)
    }

    private func prepareMapping(for node: String) throws(BatchRefusal) {
        guard mappingNode != node else { return }
        do throws(TopicMapping.PatternError) {
            mapping = try TopicMapping(options.topic, node: node, labels: options.labels)
            mappingNode = node
        } catch {
            throw .structure("node \(node) has no place in the topic pattern", offset: 0)
        }
    }

    private func checkReserved(_ topic: UnsafeRawBufferPointer) throws(BatchRefusal) {
        guard topic.first != UInt8(ascii: "$") else {
            throw .topic(String(decoding: topic, as: UTF8.self))
        }
    }

    private func mapped(_ topic: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = scratch.reserve(mapping.mappedLength(topic))
        let end = mapping.write(topic, to: start)
        scratch.commit(end - start)
        return UnsafeRawBufferPointer(start: start, count: end - start)
    }

    /// The properties without the last `t`, which is the node's: one before it is the publisher's own, or another node's.
    private func withoutTime(_ properties: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var place: UnsafeRawBufferPointer?
        for property in PropertyReader(properties) {
            if case .pair(let name, _) = property.value, name.count == 1, name[0] == UInt8(ascii: "t") {
                place = property.encoded
            }
        }
        guard let place, let first = place.baseAddress, let whole = properties.baseAddress else { return properties }
        let before = UnsafeRawBufferPointer(start: whole, count: first - whole)
        let after = UnsafeRawBufferPointer(rebasing: properties[(before.count + place.count)...])
        let count = before.count + after.count
        let start = scratch.reserve(count)
        let target = UnsafeMutableRawBufferPointer(start: start, count: count)
        target.copyMemory(from: before)
        UnsafeMutableRawBufferPointer(rebasing: target[before.count...]).copyMemory(from: after)
        scratch.commit(count)
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Whether a `via` among the User Properties names `node`.
    static func names(_ node: [UInt8], in properties: UnsafeRawBufferPointer) -> Bool {
        for property in PropertyReader(properties) {
            if case .pair(let name, let value) = property.value, name.elementsEqual("via".utf8),
                value.elementsEqual(node)
            {
                return true
            }
        }
        return false
    }
}

extension WallTime {
    /// When the node received a message: its User Property `t`, the last one; nil where it has none that can be read.
    public init?(of publish: PublishView) {
        var found: UnsafeRawBufferPointer?
        for property in PropertyReader(publish.properties) {
            if case .pair(let name, let value) = property.value, name.count == 1, name[0] == UInt8(ascii: "t") {
                found = value
            }
        }
        guard var digits = found else { return nil }
        let isSet = digits.last != UInt8(ascii: "?")
        if !isSet { digits = UnsafeRawBufferPointer(rebasing: digits.dropLast()) }
        guard 1...18 ~= digits.count else { return nil }
        var milliseconds: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            milliseconds = milliseconds * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        self.init(milliseconds: milliseconds, isSet: isSet)
    }
}
