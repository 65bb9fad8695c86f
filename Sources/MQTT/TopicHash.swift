/// A hash of a topic's bytes for tables keyed by topic. Eight bytes a step, each folded in by a 64 x 64 -> 128 bit
/// multiplication; the seed is both the start and, made odd, the multiplier, so that who doesn't know it can't choose
/// topics that collide. Equal hashes don't mean equal topics: compare the bytes too.
@inlinable
public func topicHash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
    let key = (seed ^ 0x9E37_79B9_7F4A_7C15) | 1
    let count = bytes.count
    var hash = seed ^ UInt64(truncatingIfNeeded: count) &* 0xA076_1D64_78BD_642F
    if count >= 8 {
        var offset = 0
        while offset < count - 8 {
            hash = fold(hash ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self), key)
            offset += 8
        }
        hash = fold(hash ^ bytes.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self), key)
    } else if count >= 4 {
        let low = UInt64(bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
        let high = UInt64(bytes.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
        hash = fold(hash ^ (low | high << 32), key)
    } else if count > 0 {
        let word = UInt64(bytes[0]) | UInt64(bytes[count >> 1]) << 8 | UInt64(bytes[count - 1]) << 16
        hash = fold(hash ^ word, key)
    }
    return fold(hash ^ 0xE703_7ED1_A0B4_28DB, 0x8EBC_6AF0_9C88_C6E3)
}

/// As `topicHash(_:seed:)`, where nobody hostile chooses the topics.
@inlinable
public func topicHash(_ bytes: UnsafeRawBufferPointer) -> UInt64 { topicHash(bytes, seed: 0) }

@inlinable
@inline(__always)
func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
}
