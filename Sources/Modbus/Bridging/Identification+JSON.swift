import JSON

extension Identification {
    /// `{"vendor": "...", "product_code": "...", "objects": {"128": "..."}}`, without what the device doesn't say.
    package var json: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            for (object, name) in Self.names {
                if let text = objects[object] { json.member(name, text) }
            }
            let others = objects.keys.filter { $0 >= Self.names.count }.sorted()
            guard !others.isEmpty else { return }
            json.object("objects") { json in
                for object in others { json.member("\(object)", objects[object]) }
            }
        }
        return json.bytes
    }
}
