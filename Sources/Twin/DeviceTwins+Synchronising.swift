import Broker
import EventLoop
import JSON
import MQTT
import Store

/// Edge and cloud tell each other what has changed.
extension DeviceTwins {
    // MARK: - To the cloud

    /// Has the cloud told what changed here: with this answer, or, where the link doesn't take it now, later.
    func announce(
        _ device: inout Device, _ properties: [UInt32], aboutDevice: Bool, as id: TwinID, in answer: inout TwinAnswer
    ) {
        guard id.node == nil, !properties.isEmpty || aboutDevice else { return }
        // What waits goes first, and takes this along.
        guard mayAnnounce?() ?? true, !device.hasPending else {
            if aboutDevice { device.isPending = true }
            for index in device.properties.indices where properties.contains(device.properties[index].name) {
                device.properties[index].isPending = true
            }
            return
        }
        say(
            "/twin/edge_updated", of: id, in: &answer,
            messages.synchronised(device, properties, event: nextEvent(), aboutDevice: aboutDevice))
    }

    private func nextEvent() -> String { "\(node)-\(String(UInt64.random(in: 0 ... .max), radix: 16))" }

    /// The cloud has lost what it was sent, or never was: it is told everything.
    public func tellAgain() {
        guard tellingAgainFrom == nil else {
            tellingAgainFrom = 0
            return
        }
        guard count > 0 || removedCount > 0 else { return }
        tellingAgainFrom = 0
        broker.log.lazily(.state(.twin, key: Self.tellingAgainKey, value: [1]))
        armAnnouncing()
    }

    /// Starts what was under way when the daemon stopped.
    public func start() { if tellingAgainFrom != nil || !pending.isEmpty { armAnnouncing() } }

    func armAnnouncing(after delay: Duration = .milliseconds(250)) {
        guard announcing == nil, mayAnnounce != nil else { return }
        announcing = broker.loop.schedule(after: delay) { [unowned self] in
            announcing = nil
            announceSome()
        }
    }

    private static let atOnce = 100

    private func announceSome() {
        guard mayAnnounce?() ?? true, !broker.log.isRefusing else { return armAnnouncing() }
        var answer = TwinAnswer()
        for place in pending.prefix(Self.atOnce).sorted() {
            guard var device = device(at: place), let id = TwinID(key: table.key(at: place)) else {
                pending.remove(place)
                continue
            }
            let properties = device.properties.filter(\.isPending).map(\.name)
            let aboutDevice = device.isPending
            device.clearPending()
            say(
                "/twin/edge_updated", of: id, in: &answer,
                messages.synchronised(device, properties, event: nextEvent(), aboutDevice: aboutDevice))
            store(device, as: id, at: place, wasRemoved: device.isRemoved, &answer)
        }
        if let from = tellingAgainFrom, answer.messages.count < Self.atOnce { tellAgain(from: from, in: &answer) }
        _ = say(answer)
        if !pending.isEmpty || tellingAgainFrom != nil { armAnnouncing(after: .milliseconds(20)) }
    }

    private func tellAgain(from first: Int, in answer: inout TwinAnswer) {
        var place = first
        while place < table.places.count, answer.messages.count < Self.atOnce {
            defer { place += 1 }
            guard let id = TwinID(key: table.key(at: place)), id.node == nil, !table.key(at: place).isEmpty,
                let device = device(at: place)
            else { continue }
            say(
                "/twin/edge_updated", of: id, in: &answer,
                messages.synchronised(
                    device, device.properties.map(\.name), event: nextEvent(), aboutDevice: true))
        }
        tellingAgainFrom = place < table.places.count ? place : nil
        if tellingAgainFrom == nil { answer.changes.append(.state(.twin, key: Self.tellingAgainKey, value: nil)) }
    }

    // MARK: - From the cloud

    func takeFromCloud(_ id: TwinID, _ payload: [UInt8]) -> TwinAnswer {
        var event = ""
        do throws(TwinProblem) {
            let base = try BaseMessage(payload)
            event = base.eventID
            let request = try TwinRequest(base, strict: options.strictValues)
            let (known, place) = load(id).map { ($0.device, Optional($0.place)) } ?? (nil, nil)
            var answer = TwinAnswer()
            // What is gone comes back only if somebody here wants it.
            if known?.isRemoved ?? !options.autoCreate { return refuseFromCloud(id, known, event) }
            var device: Device
            if let known { device = known } else { device = try create(id, over: nil) }
            let isNew = known == nil
            let effect = device.applyFromCloud(request, now: now, names: &names)
            if !effect.documents.isEmpty {
                device.version += 1
                try checkSize(device)
            }
            if isNew { sayMembership(of: nil, added: [(id.device, device)], in: &answer) }
            tell(effect, of: device, id, event, in: &answer)
            let refused = effect.refused.map(\.name)
            if !refused.isEmpty {
                refusals += UInt64(refused.count)
                say(
                    "/twin/edge_updated", of: id, in: &answer,
                    messages.synchronised(device, refused, event: event, refused: effect.refused))
            }
            if isNew { announce(&device, [], aboutDevice: true, as: id, in: &answer) }
            guard isNew || !effect.documents.isEmpty else { return answer }
            store(device, as: id, at: place, wasRemoved: false, &answer)
            return answer
        } catch {
            return sayProblem(error, "/twin/update/result", of: id, event: event)
        }
    }

    private func refuseFromCloud(_ id: TwinID, _ known: Device?, _ event: String) -> TwinAnswer {
        let problem = TwinProblem(code: 404, reason: "update rejected due to the device is not existed")
        var answer = sayProblem(problem, "/twin/update/result", of: id, event: event)
        var gone = known ?? Device()
        gone.isRemoved = true
        say("/twin/edge_updated", of: id, in: &answer, messages.synchronised(gone, [], event: event, aboutDevice: true))
        return answer
    }

    // MARK: - From the edge

    /// What a node below this one tells of its devices.
    func takeFromEdge(_ id: TwinID, _ payload: [UInt8]) -> TwinAnswer {
        var answer = TwinAnswer()
        do throws(TwinProblem) {
            let base = try BaseMessage(payload)
            // The edge has its own idea of what a value may be.
            let request = try TwinRequest(base, strict: false)
            let found = load(id)
            if base.json["removed"] == .boolean(true) {
                guard let (device, place) = found else { return answer }
                sayMembership(of: id.node, removed: [(id.device, device)], in: &answer)
                forget(id, at: place, wasRemoved: device.isRemoved, &answer)
                return answer
            }
            var device: Device
            if let found { device = found.device } else { device = try make(id, over: nil) }
            let before = device
            let effect = device.applyFromEdge(request, now: now, names: &names)
            takeDevice(base.json["device"], &device)
            if !effect.documents.isEmpty {
                device.version += 1
                try checkSize(device)
            }
            if !effect.unheard.isEmpty {
                answer.messages.append(
                    OwnMessage(
                        id.topic + "/twin/cloud_updated",
                        messages.synchronised(device, effect.unheard, event: base.eventID)))
            }
            guard found == nil || device != before else { return answer }
            if found == nil { sayMembership(of: id.node, added: [(id.device, device)], in: &answer) }
            tell(effect, of: device, id, base.eventID, in: &answer)
            store(device, as: id, at: found?.place, wasRemoved: false, &answer)
        } catch {
            refusals += 1
            onNotice?("what node \(id.node ?? "") tells of device \(id.device) is not taken: \(error.reason)")
        }
        return answer
    }

    private func takeDevice(_ json: JSON?, _ device: inout Device) {
        guard case .object(let members)? = json else { return }
        device.state = ""
        device.lastOnline = 0
        if case .string(let name)? = members["name"] { device.name = name }
        if case .string(let description)? = members["description"] { device.description = description }
        if case .string(let state)? = members["state"] { device.state = state }
        if case .number(let time)? = members["last_online"] { device.lastOnline = max(time.integer ?? 0, 0) }
    }
}
