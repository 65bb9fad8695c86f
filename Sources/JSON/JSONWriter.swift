/// Writes JSON (RFC 8259), member by member, as UTF-8.
///
/// Commas are its own affair. Texts that aren't UTF-8 get U+FFFD where they are wrong; numbers that JSON has no words for
/// (infinite, NaN) become null.
public struct JSONWriter {
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    public init() {}

    // MARK: - Structure

    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        enclose("{", "}", body)
    }

    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        enclose("[", "]", body)
    }

    /// A member that is an object.
    public mutating func object(_ name: String, _ body: (inout JSONWriter) -> Void) {
        key(name)
        object(body)
    }

    /// A member that is an array.
    public mutating func array(_ name: String, _ body: (inout JSONWriter) -> Void) {
        key(name)
        array(body)
    }

    /// A member with a plain value; nil is null.
    public mutating func member(_ name: String, _ value: (some JSONScalar)?) {
        key(name)
        self.value(value)
    }

    /// An element of an array, or the whole document.
    public mutating func value(_ value: (some JSONScalar)?) {
        separate()
        if let value { value.write(into: &bytes) } else { bytes.append(contentsOf: "null".utf8) }
        needsComma = true
    }

    private mutating func key(_ name: String) {
        separate()
        name.write(into: &bytes)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    private mutating func enclose(
        _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ body: (inout JSONWriter) -> Void
    ) {
        separate()
        bytes.append(UInt8(ascii: open))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: close))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }
}
