import CSystemd

/// A message of the bus, read from front to back. Valid while the one that gave it is in its call.
struct BusMessage {
    private let message: OpaquePointer

    init(_ message: OpaquePointer) { self.message = message }

    /// A text inside the message.
    typealias Text = UnsafePointer<CChar>

    var sender: Text? { sd_bus_message_get_sender(message) }
    var path: Text? { sd_bus_message_get_path(message) }

    func isSignal(_ interface: String, _ member: String) -> Bool {
        sd_bus_message_is_signal(message, interface, member) > 0
    }

    // MARK: - Reading

    /// A text (`s`), path (`o`) or signature (`g`).
    func text(_ type: Character = "s") -> Text? {
        var text: Text?
        guard sd_bus_message_read_basic(message, Self.code(type), &text) > 0 else { return nil }
        return text
    }

    func string(_ type: Character = "s") -> String? { text(type).map { String(cString: $0) } }

    func number<Number: FixedWidthInteger>(_ type: Character, as: Number.Type) -> Number? {
        var number: Number = 0
        guard sd_bus_message_read_basic(message, Self.code(type), &number) > 0 else { return nil }
        return number
    }

    func boolean() -> Bool? { number("b", as: Int32.self).map { $0 != 0 } }

    /// An array of bytes (`ay`).
    func bytes() -> [UInt8]? {
        var start: UnsafeRawPointer?
        var count = 0
        guard sd_bus_message_read_array(message, Self.code("y"), &start, &count) >= 0 else { return nil }
        return Array(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }

    func skip(_ types: String) { sd_bus_message_skip(message, types) }

    /// Calls `body` in front of each element of an array until it says that it couldn't read one. Not read to its end, where
    /// something in it isn't as it should be, the rest of the message is given up with it.
    func forEach(in contents: String, _ body: () -> Bool) {
        guard sd_bus_message_enter_container(message, Self.code("a"), contents) > 0 else { return }
        while sd_bus_message_at_end(message, 0) == 0, body() {}
        sd_bus_message_exit_container(message)
    }

    /// A map of texts: calls `body` behind each key; it reads the value, or skips it.
    func forEachEntry(valued contents: String, _ body: (Text) -> Void) {
        forEach(in: "{s\(contents)}") {
            entry("s", contents) {
                if let key = text() { body(key) }
            }
        }
    }

    /// An entry of a map; false if none stands here, or it wasn't read to its end.
    func entry(_ key: Character, _ contents: String, _ body: () -> Void) -> Bool {
        guard sd_bus_message_enter_container(message, Self.code("e"), "\(key)\(contents)") > 0 else { return false }
        body()
        return sd_bus_message_exit_container(message) >= 0
    }

    /// What a variant holds, if it is of this type; otherwise it is passed over.
    func variant<Value>(_ contents: String, _ body: () -> Value?) -> Value? {
        guard sd_bus_message_enter_container(message, Self.code("v"), contents) > 0 else {
            skip("v")
            return nil
        }
        defer { sd_bus_message_exit_container(message) }
        return body()
    }

    // MARK: - Writing

    func append(_ text: String, _ type: Character = "s") { sd_bus_message_append_basic(message, Self.code(type), text) }

    func append(_ bytes: [UInt8]) { sd_bus_message_append_array(message, Self.code("y"), bytes, bytes.count) }

    /// A map of texts to variants.
    func appendMap(_ body: () -> Void) {
        sd_bus_message_open_container(message, Self.code("a"), "{sv}")
        body()
        sd_bus_message_close_container(message)
    }

    func appendEntry(_ key: String, _ text: String) {
        appendEntry(key, "s") { append(text) }
    }

    func appendEntry(_ key: String, _ flag: Bool) {
        appendEntry(key, "b") {
            var value: Int32 = flag ? 1 : 0
            sd_bus_message_append_basic(message, Self.code("b"), &value)
        }
    }

    private func appendEntry(_ key: String, _ contents: String, _ value: () -> Void) {
        sd_bus_message_open_container(message, Self.code("e"), "sv")
        append(key)
        sd_bus_message_open_container(message, Self.code("v"), contents)
        value()
        sd_bus_message_close_container(message)
        sd_bus_message_close_container(message)
    }

    private static func code(_ type: Character) -> CChar { CChar(type.asciiValue ?? 0) }
}
