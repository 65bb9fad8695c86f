import Broker
import JSON

/// What an administrator looks at and does: `roost twin`.
extension DeviceTwins {
    /// What became of it.
    public enum Outcome {
        /// With the answer's JSON.
        case done([UInt8])
        /// With what is wrong, and the code that MQTT's answer would have (404, 409, ...).
        case refused(code: Int, reason: String)
    }

    /// All devices of a node; nil: this one.
    public func list(of node: String?) -> [UInt8] {
        var json = JSONWriter()
        let texts = messages
        json.array { json in
            for (id, device) in devices(of: node) {
                json.object { json in
                    texts.write(id, device, to: &json)
                    json.member("node", node ?? self.node)
                    json.member("version", device.version)
                    json.member("properties", device.properties.count { $0.type != .deleted })
                    json.member("differing", device.properties.count { $0.isDiffering })
                    json.member("pending", device.hasPending)
                }
            }
        }
        return json.bytes
    }

    /// nil: there is none.
    public func show(_ id: TwinID) -> [UInt8]? {
        guard let (device, _) = living(own(id)) else { return nil }
        var json = JSONWriter()
        let texts = messages
        json.object { json in
            texts.write(id.device, device, to: &json)
            json.member("node", id.node ?? node)
            json.member("version", device.version)
            json.member("pending", device.hasPending)
            json.object("twin") { texts.write(device, to: &$0) }
        }
        return json.bytes
    }

    /// An update as it would come on `twin/update`. `then` is called once it is on disk.
    public func update(_ id: TwinID, _ payload: [UInt8], then: @escaping (Outcome) -> Void) {
        if broker.log.isRefusing { return then(Self.notStored) }
        let (answer, result, problem) = updating(own(id), payload)
        let outcome = problem.map { Outcome.refused(code: $0.code, reason: $0.reason) } ?? .done(result)
        if !say(answer, committed: { then(outcome) }) { then(Self.notStored) }
    }

    /// Makes a device, or gives one that is there another name, description or attributes; what isn't in the JSON object
    /// stays as it is.
    public func add(_ id: TwinID, _ payload: [UInt8], then: @escaping (Outcome) -> Void) {
        let id = own(id)
        if broker.log.isRefusing { return then(Self.notStored) }
        do throws(TwinProblem) {
            let json = try BaseMessage(payload.isEmpty ? Array("{}".utf8) : payload).json
            let (known, place) = load(id).map { ($0.device, Optional($0.place)) } ?? (nil, nil)
            let isNew = known?.isRemoved ?? true
            guard !isNew || id.node == nil else {
                throw TwinProblem(code: 409, reason: "a device of another node is added there")
            }
            var device = isNew ? try make(id, over: known) : known ?? Device()
            for (word, path) in [("name", \Device.name), ("description", \Device.description)] {
                switch json[word] {
                case nil: break
                case .string(let text) where text.utf8.count <= PropertyRules.maximumValue: device[keyPath: path] = text
                default: throw .bad("\(word) must be text of at most \(PropertyRules.maximumValue) bytes")
                }
            }
            let changed = try device.set(attributes: json["attributes"])
            var answer = TwinAnswer()
            if isNew {
                sayMembership(of: id.node, added: [(id.device, device)], in: &answer)
            } else if !changed.isEmpty {
                say("/updated", of: id, in: &answer, messages.attributes(changed, event: ""))
            }
            announce(&device, [], aboutDevice: true, as: id, in: &answer)
            store(device, as: id, at: place, wasRemoved: known?.isRemoved ?? false, &answer)
            let shown = show(id) ?? []
            if !say(answer, committed: { then(.done(shown)) }) { then(Self.notStored) }
        } catch {
            then(.refused(code: error.code, reason: error.reason))
        }
    }

    /// The device goes, with its twin. Where a cloud keeps it, too, its versions stay, so that nothing old brings it back.
    public func remove(_ id: TwinID, then: @escaping (Outcome) -> Void) {
        let id = own(id)
        if broker.log.isRefusing { return then(Self.notStored) }
        guard case (var device, let place)? = living(id) else {
            return then(.refused(code: 404, reason: "no device \(id.device). See them all: roost twin list"))
        }
        var answer = TwinAnswer()
        sayMembership(of: id.node, removed: [(id.device, device)], in: &answer)
        if id.node == nil, mayAnnounce != nil {
            for index in device.properties.indices where device.properties[index].type != .deleted {
                for side in SideName.allCases where device.properties[index][side].version != nil {
                    TwinPlace.edge.raise(&device.properties[index][side].version)
                }
                device.properties[index].bury()
            }
            device.isRemoved = true
            device.attributes = []
            device.version += 1
            device.clearPending()
            announce(&device, [], aboutDevice: true, as: id, in: &answer)
            store(device, as: id, at: place, wasRemoved: false, &answer)
        } else {
            forget(id, at: place, wasRemoved: false, &answer)
        }
        if !say(answer, committed: { then(.done([])) }) { then(Self.notStored) }
    }

    /// This node by its name is this node.
    private func own(_ id: TwinID) -> TwinID { id.node == node ? TwinID(device: id.device) : id }

    private static var notStored: Outcome {
        .refused(code: 500, reason: "not stored: the store takes nothing now")
    }
}

extension Property {
    fileprivate var isDiffering: Bool {
        guard type != .deleted, let expected = expected.value, !expected.isEmpty else { return false }
        return expected != actual.value
    }
}

extension Device {
    /// `{"name": "value"}`, or `{"name": {"value": ..., "optional": ..., "metadata": {"type": ...}}}`; null removes.
    ///
    /// - Returns: what changed.
    fileprivate mutating func set(
        attributes json: JSON?
    ) throws(TwinProblem) -> [(name: String, value: Attribute?)] {
        let members: [String: JSON]
        switch json {
        case nil, .null: return []
        case .object(let object): members = object
        default: throw .bad("attributes must be an object")
        }
        var changed: [(name: String, value: Attribute?)] = []
        for (name, json) in members.sorted(by: { $0.key < $1.key }) {
            guard PropertyRules.isName(name) else { throw .badName }
            let index = attributes.firstIndex { $0.name == name }
            if json == .null {
                guard let index, attributes[index].optional else { continue }
                attributes.remove(at: index)
                changed.append((name, nil))
                continue
            }
            var attribute =
                index.map { attributes[$0] } ?? Attribute(name: name, value: "", type: "string", optional: true)
            switch json {
            case .string(let value): attribute.value = value
            case .object(let parts):
                if case .string(let value)? = parts["value"] { attribute.value = value }
                if case .boolean(false)? = parts["optional"] { attribute.optional = false }
                if case .string(let type)? = parts["metadata"]?["type"] { attribute.type = type }
            default: throw .bad("an attribute's value must be text")
            }
            guard attribute.value.utf8.count <= PropertyRules.maximumFreeValue else { throw .badValue(strict: false) }
            guard index.map({ attributes[$0] != attribute }) ?? true else { continue }
            changed.append((name, attribute))
            if let index { attributes[index] = attribute } else { attributes.append(attribute) }
        }
        guard attributes.count <= PropertyRules.maximumProperties else { throw .full }
        return changed
    }
}
