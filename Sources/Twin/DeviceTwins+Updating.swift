import Broker
import MQTT

/// What devices and apps ask for: the twin, a change of it, the device's state, who is there.
extension DeviceTwins {
    func get(_ id: TwinID, _ payload: [UInt8]) -> TwinAnswer {
        let base: BaseMessage
        do throws(TwinProblem) { base = try BaseMessage(payload) } catch {
            return sayProblem(error, "/twin/get/result", of: id, event: "")
        }
        guard let (device, _) = living(id) else {
            let problem = TwinProblem(code: 404, reason: "Device \(id.device) not found while getting twin")
            return sayProblem(problem, "/twin/get/result", of: id, event: base.eventID)
        }
        var answer = TwinAnswer()
        say("/twin/get/result", of: id, in: &answer, messages.got(device, event: base.eventID))
        return answer
    }

    func update(_ id: TwinID, _ payload: [UInt8]) -> TwinAnswer {
        updating(id, payload).answer
    }

    /// ... with the result for who asked by other ways than MQTT.
    func updating(_ id: TwinID, _ payload: [UInt8]) -> (answer: TwinAnswer, result: [UInt8], problem: TwinProblem?) {
        var event = ""
        do throws(TwinProblem) {
            let base = try BaseMessage(payload)
            event = base.eventID
            let (answer, result) = try update(id, base, hash: payload.withUnsafeBytes { topicHash($0) })
            return (answer, result, nil)
        } catch {
            let answer = sayProblem(error, "/twin/update/result", of: id, event: event)
            return (answer, messages.problem(error, event: event), error)
        }
    }

    private func update(
        _ id: TwinID, _ base: BaseMessage, hash: UInt64
    ) throws(TwinProblem) -> (TwinAnswer, [UInt8]) {
        let request = try TwinRequest(base, strict: options.strictValues)
        let event = base.eventID
        var answer = TwinAnswer()
        let key = id.key
        if let again = answers.find(key, event, hash: hash) {
            say("/twin/update/result", of: id, in: &answer, again)
            return (answer, again)
        }
        let (known, place) = load(id).map { ($0.device, Optional($0.place)) } ?? (nil, nil)
        var device: Device
        let isNew = known?.isRemoved ?? true
        if isNew {
            device = try create(id, over: known)
        } else {
            device = known ?? Device()
        }
        if !isNew, !event.isEmpty, device.lastEvent == event, device.lastEventHash == hash {
            // Before this start: the answer is made of what is there.
            let again = messages.updated(device.accepted(request, names), version: device.version, event: event)
            say("/twin/update/result", of: id, in: &answer, again)
            return (answer, again)
        }
        if let version = request.version, version != device.version {
            throw TwinProblem(
                code: 409, reason: "the twin's version is \(device.version), not \(version)", version: device.version)
        }
        let effect = try device.apply(request, at: id.node == nil ? .edge : .cloud, now: now, names: &names)
        if !effect.documents.isEmpty {
            device.version += 1
            device.lastEvent = event.utf8.count <= RecentAnswers.maximumEvent ? event : ""
            device.lastEventHash = hash
        }
        let result = messages.updated(effect, version: device.version, event: event)
        guard isNew || !effect.documents.isEmpty else {
            say("/twin/update/result", of: id, in: &answer, result)
            return (answer, result)
        }
        try checkSize(device)
        if isNew { sayMembership(of: id.node, added: [(id.device, device)], in: &answer) }
        say("/twin/update/result", of: id, in: &answer, result)
        tell(effect, of: device, id, event, in: &answer)
        if id.node == nil {
            announce(&device, effect.changed, aboutDevice: isNew, as: id, in: &answer)
        } else if !effect.documents.isEmpty {
            answer.messages.append(
                OwnMessage(
                    id.topic + "/twin/cloud_updated",
                    messages.synchronised(device, effect.changed, event: event)))
        }
        store(device, as: id, at: place, wasRemoved: known?.isRemoved ?? false, &answer)
        answers.note(key, event, hash: hash, result)
        return (answer, result)
    }

    /// Document and delta, for whoever wants them.
    func tell(_ effect: TwinEffect, of device: Device, _ id: TwinID, _ event: String, in answer: inout TwinAnswer) {
        if !effect.documents.isEmpty {
            say("/twin/update/document", of: id, in: &answer, messages.document(effect, event: event))
        }
        let topic = id.topic + "/twin/update/delta"
        guard broker.isWanted(topic), let delta = messages.delta(device, event: event) else { return }
        answer.messages.append(OwnMessage(topic, delta))
    }

    /// A device at its first update; one that is gone goes on with its versions.
    func create(_ id: TwinID, over removed: Device?) throws(TwinProblem) -> Device {
        guard options.autoCreate else {
            throw TwinProblem(code: 404, reason: "update rejected due to the device is not existed")
        }
        return try make(id, over: removed)
    }

    func make(_ id: TwinID, over removed: Device?) throws(TwinProblem) -> Device {
        guard id.isValid else {
            throw .bad("a device's id has one or two levels, and at most \(TwinID.maximumBytes) bytes")
        }
        guard removed != nil || hasRoom else {
            throw TwinProblem(code: 500, reason: "not stored: there are as many devices as twin.devices allows")
        }
        var device = removed ?? Device()
        device.isRemoved = false
        device.name = id.lastLevel
        return device
    }

    func checkSize(_ device: Device) throws(TwinProblem) {
        var bytes: [UInt8] = []
        // Only those that may be large are worth the look.
        guard device.properties.count > 100 || !options.strictValues else { return }
        device.encode(names: names, into: &bytes)
        guard bytes.count <= PropertyRules.maximumDeviceBytes else {
            throw .bad("the twin would have more than \(PropertyRules.maximumDeviceBytes) bytes")
        }
    }

    // MARK: - State

    func updateState(_ id: TwinID, _ payload: [UInt8]) -> TwinAnswer {
        var event = ""
        do throws(TwinProblem) {
            let base = try BaseMessage(payload)
            event = base.eventID
            guard case .string(let state)? = base.json["state"] else { throw .bad("state is missing") }
            let word = state.lowercased()
            guard ["online", "offline", "ok", "unhealthy", "unknown"].contains(word) else {
                throw .bad("the state must be online, offline, ok, unhealthy or unknown")
            }
            let (known, place) = load(id).map { ($0.device, Optional($0.place)) } ?? (nil, nil)
            let isNew = known?.isRemoved ?? true
            var device = isNew ? try create(id, over: known) : known ?? Device()
            device.state = state
            device.lastOnline = word == "online" || word == "ok" ? now : 0
            var answer = TwinAnswer()
            if isNew { sayMembership(of: id.node, added: [(id.device, device)], in: &answer) }
            say("/state/update/result", of: id, in: &answer, messages.state(device, event: event))
            announce(&device, [], aboutDevice: true, as: id, in: &answer)
            store(device, as: id, at: place, wasRemoved: known?.isRemoved ?? false, &answer)
            return answer
        } catch {
            return sayProblem(error, "/state/update/result", of: id, event: event)
        }
    }

    // MARK: - Membership

    func membership(of node: String?, _ payload: [UInt8]) -> TwinAnswer {
        var answer = TwinAnswer()
        let topic = "$hw/events/node/\(node ?? self.node)/membership/get/result"
        guard broker.isWanted(topic) else { return answer }
        do throws(TwinProblem) {
            let base = try BaseMessage(payload)
            let bytes = messages.members(devices(of: node), event: base.eventID)
            guard bytes.count <= Self.largestMembership else {
                throw TwinProblem(
                    code: 500, reason: "too many devices for one message; `roost twin list` shows them all")
            }
            answer.messages.append(OwnMessage(topic, bytes))
        } catch {
            refusals += 1
            answer.messages.append(OwnMessage(topic, messages.problem(error, event: "")))
        }
        return answer
    }

    private static let largestMembership = 16 << 20

    /// Those of one node that are there, by their ids.
    func devices(of node: String?) -> [(id: String, device: Device)] {
        var found: [(id: String, device: Device)] = []
        for place in table.places {
            guard let id = TwinID(key: table.key(at: place)), id.node == node, let device = device(at: place),
                !device.isRemoved
            else { continue }
            found.append((id.device, device))
        }
        return found.sorted { $0.id < $1.id }
    }
}

extension Device {
    /// What an update that was taken before must have had for its result, as far as it is still there.
    fileprivate func accepted(_ request: TwinRequest, _ names: NameTable) -> TwinEffect {
        var effect = TwinEffect()
        for (name, change) in request.properties {
            guard let number = names.find(name), let index = index(of: number) else { continue }
            let property = properties[index]
            guard let change else {
                if property.type == .deleted { effect.accepted.append(.init(property: nil, name: number)) }
                continue
            }
            effect.accepted.append(
                .init(
                    property: property, name: number,
                    sides: SideName.allCases.filter { change[$0].isThere && property[$0].value != nil },
                    tellsOptional: true, tellsType: true))
        }
        return effect
    }
}
