import COpenSSL

/// AES-128-CCM with a tag of four bytes (RFC 3610), as small devices use it.
struct AESCCM: Sendable {
    static let tagBytes = 4
    static let nonceBytes = 7...13

    let key: BindKey

    /// The plain bytes; nil: the key is another one, or a bit is not as it was sent.
    func open(
        _ cipherText: ArraySlice<UInt8>, tag: ArraySlice<UInt8>, nonce: [UInt8], associated: [UInt8] = []
    ) -> [UInt8]? {
        guard tag.count == Self.tagBytes, Self.nonceBytes.contains(nonce.count), !cipherText.isEmpty,
            let context = EVP_CIPHER_CTX_new()
        else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        var tag = Array(tag)
        let cipherText = Array(cipherText)
        let count = Int32(cipherText.count)
        var plain = [UInt8](repeating: 0, count: cipherText.count)
        var written: Int32 = 0
        // CCM wants the lengths of nonce, tag and text before anything else, and verifies in the one call that decrypts.
        guard EVP_DecryptInit_ex(context, EVP_aes_128_ccm(), nil, nil, nil) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, Int32(nonce.count), nil) == 1,
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), &tag) == 1,
            EVP_DecryptInit_ex(context, nil, nil, key.bytes, nonce) == 1,
            EVP_DecryptUpdate(context, nil, &written, nil, count) == 1,
            associated.isEmpty
                || EVP_DecryptUpdate(context, nil, &written, associated, Int32(associated.count)) == 1,
            EVP_DecryptUpdate(context, &plain, &written, cipherText, count) == 1
        else { return nil }
        return plain
    }
}

/// The 16 bytes that open a device's encrypted advertisements.
package struct BindKey: Sendable, Hashable {
    let bytes: [UInt8]

    /// Nil unless there are 16.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        self.bytes = bytes
    }
}
