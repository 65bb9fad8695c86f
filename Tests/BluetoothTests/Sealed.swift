import COpenSSL

@testable import Bluetooth

/// Encrypts as devices do.
enum Sealed {
    static func bthome(_ plain: [UInt8], counter: UInt32, from address: DeviceAddress, key: String) throws -> [UInt8] {
        let count = (0..<4).map { UInt8(truncatingIfNeeded: counter >> ($0 * 8)) }
        let nonce = address.bytes + [0xD2, 0xFC, 0x41] + count
        let (text, tag) = seal(plain, nonce: nonce, key: Hexadecimal.bytes(key) ?? [])
        return [0x41] + text + count + tag
    }

    private static func seal(_ plain: [UInt8], nonce: [UInt8], key: [UInt8]) -> (text: [UInt8], tag: [UInt8]) {
        let context = EVP_CIPHER_CTX_new()
        defer { EVP_CIPHER_CTX_free(context) }
        var text = [UInt8](repeating: 0, count: plain.count)
        var tag = [UInt8](repeating: 0, count: 4)
        var count: Int32 = 0
        EVP_EncryptInit_ex(context, EVP_aes_128_ccm(), nil, nil, nil)
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, Int32(nonce.count), nil)
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 4, nil)
        EVP_EncryptInit_ex(context, nil, nil, key, nonce)
        EVP_EncryptUpdate(context, nil, &count, nil, Int32(plain.count))
        EVP_EncryptUpdate(context, &text, &count, plain, Int32(plain.count))
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 4, &tag)
        return (text, tag)
    }
}
