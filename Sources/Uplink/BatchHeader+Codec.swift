/// The header as bytes: MQTT 5 properties (a length, then UTF-8 pairs), all of them User Properties.
extension BatchHeader {
    /// The only version there is.
    static let version = "1"
    static let userProperty: UInt8 = 0x26

    /// The encoded header without the skippable frame around it.
    public func encoded() -> [UInt8] {
        var pairs: [UInt8] = []
        func pair(_ name: String, _ value: String) {
            pairs.append(Self.userProperty)
            Self.append(name, to: &pairs)
            Self.append(value, to: &pairs)
        }
        pair("v", Self.version)
        pair("node", node)
        pair("route", route)
        pair("epoch", HeaderText.hexadecimal(run.epoch))
        if run.lane != 0 { pair("lane", String(run.lane)) }
        pair("seq", String(sequence))
        pair("at", madeAt.text)
        for gap in gaps { pair("gap", gap.text) }
        for end in ended { pair("ended", end.text) }
        for label in labels { pair("label:" + label.name, label.value) }

        var bytes: [UInt8] = []
        bytes.reserveCapacity(pairs.count + 4)
        var rest = pairs.count
        repeat {
            bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        bytes += pairs
        return bytes
    }

    /// Reads what `encoded()` writes. Pairs may come in any order; unknown names are skipped; `bytes` holds nothing else.
    public init(decoding bytes: UnsafeRawBufferPointer) throws(BatchRefusal) {
        let pairs = try Pairs(bytes)
        guard let version = try pairs.one("v") else { throw .structure("header without v", offset: 0) }
        guard version == Self.version else { throw .unknownVersion(version) }
        guard let node = try pairs.one("node"), HeaderText.isTopicLevel(node) else {
            throw .structure("header without a usable node", offset: 0)
        }
        guard let route = try pairs.one("route"), !route.isEmpty else {
            throw .structure("header without route", offset: 0)
        }
        guard let epoch = try pairs.one("epoch").flatMap({ HeaderText.epoch($0[...]) }) else {
            throw .structure("header without a usable epoch", offset: 0)
        }
        var lane: UInt16 = 0
        if let text = try pairs.one("lane") {
            guard let number = HeaderText.decimal(text[...]).flatMap({ UInt16(exactly: $0) }) else {
                throw .structure("lane \(text) is not a number", offset: 0)
            }
            lane = number
        }
        guard let sequence = try pairs.one("seq").flatMap({ HeaderText.decimal($0[...]) }), sequence > 0 else {
            throw .structure("header without a usable seq", offset: 0)
        }
        guard let madeAt = try pairs.one("at").flatMap({ WallTime(text: $0[...]) }) else {
            throw .structure("header without a usable at", offset: 0)
        }
        self.init(
            node: node, route: route, run: BatchRun(epoch: epoch, lane: lane), sequence: sequence, madeAt: madeAt)
        for (name, value) in pairs.all {
            if name == "gap" {
                guard let gap = BatchGap(text: value) else { throw .structure("gap \(value) unreadable", offset: 0) }
                gaps.append(gap)
            } else if name == "ended" {
                guard let end = BatchEnded(text: value) else {
                    throw .structure("ended \(value) unreadable", offset: 0)
                }
                ended.append(end)
            } else if name.hasPrefix("label:") {
                labels.append(Label(name: String(name.dropFirst(6)), value: value))
            }
        }
    }

    /// A UTF-8 string with its length before it; cut at 65,535 bytes, which the configuration never allows.
    private static func append(_ text: String, to bytes: inout [UInt8]) {
        let utf8 = Array(text.utf8.prefix(Int(UInt16.max)))
        bytes.append(UInt8(utf8.count >> 8))
        bytes.append(UInt8(utf8.count & 0xFF))
        bytes += utf8
    }

    /// The name and value pairs of a header, in their order.
    private struct Pairs {
        private(set) var all: [(name: String, value: String)] = []

        init(_ bytes: UnsafeRawBufferPointer) throws(BatchRefusal) {
            var offset = 0
            var length = 0
            var shift = 0
            var byte: UInt8 = 0
            repeat {
                guard offset < bytes.count, shift < 28 else { throw .structure("header length broken", offset: offset) }
                byte = bytes[offset]
                offset += 1
                length |= Int(byte & 0x7F) << shift
                shift += 7
            } while byte >= 0x80
            guard length == bytes.count - offset else { throw .structure("header length wrong", offset: 0) }
            while offset < bytes.count {
                guard bytes[offset] == BatchHeader.userProperty else {
                    throw .structure("header holds a property other than User Property", offset: offset)
                }
                offset += 1
                let name = try Self.string(bytes, &offset)
                let value = try Self.string(bytes, &offset)
                all.append((name, value))
            }
        }

        /// The value of a name that may come once.
        func one(_ name: String) throws(BatchRefusal) -> String? {
            var found: String?
            for pair in all where pair.name == name {
                guard found == nil else { throw .structure("header with \(name) twice", offset: 0) }
                found = pair.value
            }
            return found
        }

        private static func string(
            _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
        ) throws(BatchRefusal) -> String {
            guard offset + 2 <= bytes.count else { throw .structure("header cut short", offset: offset) }
            let length = Int(bytes[offset]) << 8 | Int(bytes[offset + 1])
            let start = offset + 2
            guard start + length <= bytes.count else { throw .structure("header cut short", offset: offset) }
            guard let text = String(validating: bytes[start..<start + length], as: UTF8.self), !text.utf8.contains(0)
            else {
                throw .structure("header text is not UTF-8", offset: start)
            }
            offset = start + length
            return text
        }
    }
}
