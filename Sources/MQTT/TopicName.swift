/// Topic Names, MQTT 5 §4.7.
public enum TopicName {
    /// True if a message may be published to `bytes`: well-formed UTF-8 without U+0000 [MQTT-4.7.3-2], no wildcard
    /// [MQTT-4.7.0-1], 1 to 65,535 bytes [MQTT-4.7.3-1] [MQTT-4.7.3-3].
    public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count > 0 && bytes.count <= 0xFFFF && TextScan(bytes).isEmpty
    }

    /// How many levels the name has: one more than it has `/`.
    public static func levels(_ bytes: UnsafeRawBufferPointer) -> Int {
        var levels = 1
        for byte in bytes where byte == 0x2F { levels += 1 }
        return levels
    }
}
