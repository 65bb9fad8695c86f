/// Texts in registers and identifications: UTF-8 where it is, else Latin-1, which has no wrong bytes. A NUL ends a text, and
/// blanks at the end pad it.
enum Text {
    static func decode(_ bytes: some Sequence<UInt8>) -> String {
        var bytes = Array(bytes.prefix { $0 != 0 })
        while bytes.last == 0x20 { bytes.removeLast() }
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
}
