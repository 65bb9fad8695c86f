import EventLoop

/// The server's side of one SCRAM-SHA-256 exchange (RFC 5802 §5 and §7, RFC 7677): what the client says, and what is answered.
/// Without channel binding, which MQTT has no place for.
struct ScramExchange {
    /// Why it fails, for the log.
    struct Refusal: Error, Equatable { let text: String }

    let userName: [UInt8]
    /// As it came: the client says it again at the end, so that nobody in between can have changed it.
    private let header: [UInt8]
    private let firstBare: [UInt8]
    private let clientNonce: [UInt8]
    private var serverFirst: [UInt8] = []
    private var nonce: [UInt8] = []
    private var keys = ScramKeys(stored: [], server: [])

    /// Of any message of a client. What it holds is told back to it, and kept meanwhile.
    private static let longestMessage = 2048

    // MARK: - client-first-message

    init(_ first: [UInt8]) throws(Refusal) {
        guard first.count <= Self.longestMessage else { throw Refusal(text: "a first message that is too long") }
        let parts = first.split(separator: UInt8(ascii: ","), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw Refusal(text: "a first message that is none of SCRAM's") }
        switch text(parts[0]) {
        case "n", "y": break
        case let flag where flag.hasPrefix("p="):
            throw Refusal(text: "channel binding, which there is not")
        default: throw Refusal(text: "a first message that is none of SCRAM's")
        }
        header = Array(first[..<parts[2].startIndex])
        firstBare = Array(parts[2])
        let fields = parts[2].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard fields.count >= 2, let name = Self.value("n", fields[0]), let nonce = Self.value("r", fields[1]) else {
            throw Refusal(text: "a first message without a user and a nonce, or with extensions that aren't known")
        }
        guard let userName = Self.name(name), !userName.isEmpty else { throw Refusal(text: "a user name that is none") }
        guard !nonce.isEmpty, nonce.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Refusal(text: "a nonce that is none")
        }
        // Acting for somebody else is not for clients to ask.
        if !parts[1].isEmpty {
            guard let other = Self.value("a", parts[1]).flatMap(Self.name), other == userName else {
                throw Refusal(text: "user \(text(userName)) asks to act for another")
            }
        }
        self.userName = userName
        clientNonce = Array(nonce)
    }

    private static func value(_ name: Character, _ field: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard field.count >= 2, field.first == name.asciiValue, field[field.startIndex + 1] == UInt8(ascii: "=") else {
            return nil
        }
        return field.dropFirst(2)
    }

    /// `=2C` is a comma and `=3D` an equals sign; no other stands for anything.
    private static func name(_ encoded: ArraySlice<UInt8>) -> [UInt8]? {
        var name: [UInt8] = []
        var rest = encoded
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                name.append(byte)
                continue
            }
            switch text(rest.prefix(2)) {
            case "2C": name.append(UInt8(ascii: ","))
            case "3D": name.append(UInt8(ascii: "="))
            default: return nil
            }
            rest = rest.dropFirst(2)
        }
        return name[...].isText ? name : nil
    }

    // MARK: - server-first-message

    /// - Parameter ownNonce: printable, without a comma, and never the same again.
    mutating func challenge(_ hash: PasswordHash, _ ownNonce: String) -> [UInt8] {
        nonce = clientNonce + Array(ownNonce.utf8)
        keys = hash.scramKeys ?? keys
        serverFirst =
            Array("r=".utf8) + nonce + Array(",s=\(Base64.encode(hash.salt)),i=\(hash.iterations)".utf8)
        return serverFirst
    }

    // MARK: - client-final-message and server-final-message

    /// - Returns: what shows the client that the server knows its user.
    func verify(_ final: [UInt8]) throws(Refusal) -> [UInt8] {
        guard final.count <= Self.longestMessage else { throw Refusal(text: "a last message that is too long") }
        let fields = final.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard fields.count >= 3, let binding = Self.value("c", fields[0]), let said = Self.value("r", fields[1]),
            let proof = Self.value("p", fields[fields.count - 1]).flatMap({ Base64.decode($0) })
        else { throw Refusal(text: "a last message that is none of SCRAM's") }
        guard Base64.decode(binding) == header else {
            throw Refusal(text: "it began otherwise than it says at the end")
        }
        guard said.elementsEqual(nonce) else { throw Refusal(text: "a nonce that is not this exchange's") }
        let withoutProof = final[..<(fields[fields.count - 1].startIndex - 1)]
        let comma = [UInt8(ascii: ",")]
        let message = firstBare + comma + serverFirst + comma + withoutProof
        guard keys.verify(proof: proof, of: message) else { throw Refusal(text: "wrong password") }
        return Array("v=\(Base64.encode(keys.signature(of: message)))".utf8)
    }
}
