import EventLoop
import JSON

/// The JSON that twins say, in the shapes and with the words of KubeEdge.
struct TwinMessages {
    let names: NameTable
    /// Milliseconds since 1970 UTC.
    let now: Int64

    private func base(_ event: String, _ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("event_id", event)
            json.member("timestamp", now)
            body(&json)
        }
        return json.bytes
    }

    func problem(_ problem: TwinProblem, event: String) -> [UInt8] {
        base(event) { json in
            json.member("code", problem.code)
            json.member("reason", problem.reason)
            if let version = problem.version { json.member("version", version) }
        }
    }

    func got(_ device: Device, event: String) -> [UInt8] {
        base(event) { json in
            json.member("version", device.version)
            json.object("twin") { write(device, to: &$0) }
        }
    }

    /// Every property that is there.
    func write(_ device: Device, to json: inout JSONWriter) {
        for property in device.properties where property.type != .deleted {
            json.object(names[property.name]) { write(property, to: &$0) }
        }
    }

    func updated(_ effect: TwinEffect, version: UInt64, event: String) -> [UInt8] {
        base(event) { json in
            json.member("version", version)
            json.object("twin") { json in
                for accepted in effect.accepted {
                    guard let property = accepted.property else {
                        json.member(names[accepted.name], nil as String?)
                        continue
                    }
                    json.object(names[accepted.name]) { json in
                        for side in accepted.sides { write(property[side], as: side, to: &json) }
                        if accepted.tellsOptional { json.member("optional", property.optional) }
                        if accepted.tellsType {
                            json.object("metadata") { $0.member("type", property.type.name) }
                        }
                    }
                }
            }
        }
    }

    func document(_ effect: TwinEffect, event: String) -> [UInt8] {
        base(event) { json in
            json.object("twin") { json in
                for document in effect.documents {
                    json.object(names[document.name]) { json in
                        for (word, property) in [("last", document.last), ("current", document.current)] {
                            guard let property else {
                                json.member(word, nil as String?)
                                continue
                            }
                            json.object(word) { write(property, to: &$0) }
                        }
                    }
                }
            }
        }
    }

    /// nil: nothing is expected that isn't so.
    func delta(_ device: Device, event: String) -> [UInt8]? {
        let expecting = device.properties.filter { $0.type != .deleted && !($0.expected.value ?? "").isEmpty }
        let differing = expecting.filter { $0.expected.value != $0.actual.value }
        guard !differing.isEmpty else { return nil }
        return base(event) { json in
            json.object("twin") { json in
                for property in expecting { json.object(names[property.name]) { write(property, to: &$0) } }
            }
            json.object("delta") { json in
                for property in differing { json.member(names[property.name], property.expected.value) }
            }
        }
    }

    /// Between edge and cloud: these properties with their versions.
    ///
    /// - Parameters:
    ///   - refused: what the cloud offered, and isn't taken.
    ///   - aboutDevice: its own state, too, and whether it is gone.
    func synchronised(
        _ device: Device, _ properties: [UInt32], event: String,
        refused: [(name: UInt32, expected: Version?, actual: Version?)] = [], aboutDevice: Bool = false
    ) -> [UInt8] {
        base(event) { json in
            json.object("twin") { json in
                for name in properties {
                    let offered = refused.first { $0.name == name }
                    let property = device.index(of: name).map { device.properties[$0] } ?? .missing(name)
                    json.object(names[name]) { json in
                        write(property, to: &json)
                        for side in SideName.allCases {
                            // One that never had a value, too: the other side may think that it has.
                            write(property[side].version ?? Version(), as: "\(side.word)_version", to: &json)
                        }
                        write(offered?.expected, as: "expected_refused", to: &json)
                        write(offered?.actual, as: "actual_refused", to: &json)
                    }
                }
            }
            guard aboutDevice else { return }
            if device.isRemoved { return json.member("removed", true) }
            json.object("device") { json in
                json.member("name", device.name)
                if !device.description.isEmpty { json.member("description", device.description) }
                if !device.state.isEmpty { json.member("state", device.state) }
                if device.lastOnline > 0 { json.member("last_online", device.lastOnline) }
            }
        }
    }

    func state(_ device: Device, event: String) -> [UInt8] {
        base(event) { json in
            json.object("device") { json in
                json.member("name", device.name)
                json.member("state", device.state)
                if device.lastOnline > 0 {
                    json.member("lastOnlineTime", CivilTime(milliseconds: device.lastOnline).text)
                }
            }
        }
    }

    func attributes(_ attributes: [(name: String, value: Device.Attribute?)], event: String) -> [UInt8] {
        base(event) { json in
            json.object("attributes") { json in
                for (name, attribute) in attributes {
                    guard let attribute else {
                        json.member(name, nil as String?)
                        continue
                    }
                    write(attribute, to: &json)
                }
            }
        }
    }

    func members(_ devices: [(id: String, device: Device)], event: String) -> [UInt8] {
        base(event) { json in
            json.array("devices") { json in
                for (id, device) in devices { json.object { write(id, device, to: &$0) } }
            }
        }
    }

    func membership(added: [(id: String, device: Device)], removed: [(id: String, device: Device)]) -> [UInt8] {
        base("") { json in
            for (word, devices) in [("added_devices", added), ("removed_devices", removed)] {
                json.array(word) { json in
                    for (id, device) in devices { json.object { write(id, device, to: &$0) } }
                }
            }
        }
    }

    // MARK: - Parts

    /// What the membership tells of a device.
    func write(_ id: String, _ device: Device, to json: inout JSONWriter) {
        json.member("id", id)
        json.member("name", device.name)
        if !device.description.isEmpty { json.member("description", device.description) }
        if !device.state.isEmpty { json.member("state", device.state) }
        if device.lastOnline > 0 { json.member("last_online", CivilTime(milliseconds: device.lastOnline).text) }
        guard !device.attributes.isEmpty else { return }
        json.object("attributes") { json in
            for attribute in device.attributes { write(attribute, to: &json) }
        }
    }

    private func write(_ attribute: Device.Attribute, to json: inout JSONWriter) {
        json.object(attribute.name) { json in
            json.member("value", attribute.value)
            json.member("optional", attribute.optional)
            json.object("metadata") { $0.member("type", attribute.type) }
        }
    }

    private func write(_ property: Property, to json: inout JSONWriter) {
        for side in SideName.allCases where property[side].value != nil {
            write(property[side], as: side, to: &json)
        }
        json.member("optional", property.optional)
        json.object("metadata") { $0.member("type", property.type.name) }
    }

    private func write(_ side: Side, as name: SideName, to json: inout JSONWriter) {
        json.object(name.word) { json in
            json.member("value", side.value)
            json.object("metadata") { $0.member("timestamp", side.timestamp) }
        }
    }

    private func write(_ version: Version?, as name: String, to json: inout JSONWriter) {
        guard let version else { return }
        json.object(name) { json in
            json.member("cloud", version.cloud)
            json.member("edge", version.edge)
        }
    }
}
