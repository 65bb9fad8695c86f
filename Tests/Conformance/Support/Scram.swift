import COpenSSL

/// A client of SCRAM-SHA-256 (RFC 5802), whose words depend on what it is told: no script can say them. Each exchange ends
/// with the packet that the Server ends it with.
final class Scram {
    static let method = "SCRAM-SHA-256"
    private static let bare = "n=user,r=0123456789"

    let peer: Peer
    /// What the Server must show in turn.
    private(set) var proof = ""

    init() throws {
        try Server.scram.expectRunning()
        peer = try Peer(port: Server.scram.port)
    }

    /// CONNECT, the challenge and its answer.
    func connect(_ identifier: String, password: String) throws -> [UInt8] {
        let head: [UInt8] = [0, 4] + "MQTT".utf8 + [5, 2, 0, 0]
        let data = Self.properties("n,," + Self.bare)
        peer.send(Self.packet(0x10, head + data + [0, UInt8(identifier.utf8.count)] + identifier.utf8))
        return try answer(password)
    }

    /// AUTH 0x19 and what follows.
    func again(password: String) throws -> [UInt8] {
        peer.send(Self.packet(0xF0, [0x19] + Self.properties("n,," + Self.bare)))
        return try answer(password)
    }

    private func answer(_ password: String) throws -> [UInt8] {
        guard let packet = try peer.next(), packet.starts(with: [0xF0]), packet.count > 4, packet[2] == 0x18,
            let challenge = Self.data(packet[4...])
        else { throw Failure("no challenge") }
        peer.send(Self.packet(0xF0, [0x18] + Self.properties(final(challenge, password))))
        guard let end = try peer.next() else { throw Failure("a close") }
        return end
    }

    private func final(_ challenge: String, _ password: String) -> String {
        let fields = challenge.split(separator: ",").map { $0.dropFirst(2) }
        let salt = Self.decoded(String(fields[1]))
        var salted = [UInt8](repeating: 0, count: 32)
        PKCS5_PBKDF2_HMAC(
            password, Int32(password.utf8.count), salt, Int32(salt.count), Int32(fields[2]) ?? 1, EVP_sha256(), 32,
            &salted)
        let key = Self.code("Client Key", salted)
        var stored = [UInt8](repeating: 0, count: 32)
        EVP_Digest(key, key.count, &stored, nil, EVP_sha256(), nil)
        let without = "c=biws,r=\(fields[0])"
        let message = "\(Self.bare),\(challenge),\(without)"
        proof = "v=" + Self.encoded(Self.code(message, Self.code("Server Key", salted)))
        return without + ",p=" + Self.encoded(zip(key, Self.code(message, stored)).map { $0 ^ $1 })
    }

    // MARK: - Bytes

    /// The Authentication Data of properties that begin with the method.
    static func data(_ properties: ArraySlice<UInt8>) -> String? {
        let head: [UInt8] = [0x15, 0, UInt8(method.utf8.count)] + method.utf8 + [0x16]
        guard properties.starts(with: head), properties.count >= head.count + 2 else { return nil }
        let count = Int(properties[properties.startIndex + head.count + 1])
        return String(decoding: properties.dropFirst(head.count + 2).prefix(count), as: UTF8.self)
    }

    private static func properties(_ data: String) -> [UInt8] {
        let inside: [UInt8] =
            [0x15, 0, UInt8(method.utf8.count)] + method.utf8 + [0x16, 0, UInt8(data.utf8.count)] + data.utf8
        return length(inside.count) + inside
    }

    private static func packet(_ type: UInt8, _ body: [UInt8]) -> [UInt8] { [type] + length(body.count) + body }

    private static func length(_ count: Int) -> [UInt8] {
        count < 128 ? [UInt8(count)] : [UInt8(count & 0x7F) | 0x80, UInt8(count >> 7)]
    }

    private static func code(_ message: String, _ key: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: 32)
        HMAC(EVP_sha256(), key, Int32(key.count), Array(message.utf8), message.utf8.count, &result, nil)
        return result
    }

    private static func encoded(_ bytes: [UInt8]) -> String {
        var text = [UInt8](repeating: 0, count: bytes.count * 2 + 4)
        let count = EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
        return String(decoding: text.prefix(Int(count)), as: UTF8.self)
    }

    private static func decoded(_ text: String) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: text.utf8.count)
        let count = EVP_DecodeBlock(&bytes, Array(text.utf8), Int32(text.utf8.count))
        return Array(bytes.prefix(max(0, Int(count) - text.filter { $0 == "=" }.count)))
    }
}
