/// The objects of one BTHome advertisement, in their order. Whatever stands behind an object that isn't known can't be read,
/// since objects don't tell their length; what stood before it counts.
struct BTHomeObjects {
    private(set) var measurements: [Measurement] = []
    private(set) var packetIdentifier: UInt8?
    /// Nothing could be read, not even that nothing happened.
    private(set) var isEmpty = true
    /// How many objects of one name there are, and how many of these have been read.
    private var total: [String: Int] = [:]
    private var count: [String: Int] = [:]

    init(_ bytes: ArraySlice<UInt8>) {
        var found: [(object: BTHomeObject, data: ArraySlice<UInt8>)] = []
        var cursor = ByteCursor(bytes)
        while let identifier = cursor.byte(), let object = BTHomeObject.table[Int(identifier)] {
            guard let length = object.length(&cursor), let data = cursor.take(length) else { break }
            guard length > 0 else { continue }
            found.append((object, data))
            total[object.name, default: 0] += 1
        }
        isEmpty = found.isEmpty
        for (object, data) in found { read(object, data) }
    }

    /// Several of a name are told apart by a number: `temperature_1`.
    private mutating func read(_ object: BTHomeObject, _ data: ArraySlice<UInt8>) {
        var suffix = ""
        if total[object.name, default: 0] > 1 {
            count[object.name, default: 0] += 1
            suffix = "_\(count[object.name, default: 0])"
        }
        switch object.kind {
        case .packetIdentifier: packetIdentifier = data.first
        case .number(_, let signed, let factor, let decimals):
            var raw = ByteCursor.unsigned(data)
            if signed { raw = ByteCursor.signed(raw, bytes: data.count) }
            measurements.append(.scaled(object.name + suffix, raw * factor, decimals: decimals, unit: object.unit))
        case .flag: measurements.append(Measurement(object.name + suffix, .boolean(data.first != 0)))
        case .text:
            guard let text = String(validating: data, as: UTF8.self) else { return }
            measurements.append(Measurement(object.name + suffix, .text(text)))
        case .raw: measurements.append(Measurement(object.name + suffix, .text(Hexadecimal.text(data))))
        case .version:
            let text = data.reversed().map { "\($0)" }.joined(separator: ".")
            measurements.append(Measurement(object.name + suffix, .text(text)))
        case .button: event(object.name + suffix, BTHomeObject.buttonEvents[data.first ?? 0])
        case .dimmer:
            guard let event = BTHomeObject.dimmerEvents[data.first ?? 0] else { return }
            self.event(object.name + suffix, event)
            let steps = Int64(data.last ?? 0)
            measurements.append(Measurement("\(object.name)_steps\(suffix)", .integer(steps), isEvent: true))
        case .command:
            guard let event = BTHomeObject.commandEvents[data.first ?? 0xFF] else { return }
            self.event(object.name + suffix, event)
            guard data.count > 1 else { return }
            let arguments = Hexadecimal.text(data.dropFirst())
            measurements.append(Measurement("\(object.name)_arguments\(suffix)", .text(arguments), isEvent: true))
        }
    }

    /// Nil: nothing happened; the object only keeps the places of the others.
    private mutating func event(_ name: String, _ event: String?) {
        guard let event else { return }
        measurements.append(Measurement(name, .text(event), isEvent: true))
    }
}
