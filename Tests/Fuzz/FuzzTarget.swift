import EventLoop
import MQTT

@testable import Access
@testable import Broker
@testable import Configuration
@testable import Uplink

/// What takes bytes from strangers, or from a file that somebody has edited. Each target takes any bytes, and ends the process
/// (a trap, a failed precondition) where a promise is broken. The same input always does the same.
enum FuzzTarget: String, CaseIterable {
    /// Packets of either version, decoded and encoded again.
    case mqtt4, mqtt5
    /// A WebSocket server's side: the handshake and what follows it.
    case websocket
    case http
    /// PROXY headers, of both versions.
    case proxy
    case batch
    case toml
    case passwords, acl
    /// A client's messages of a SCRAM exchange.
    case scram
    /// A message to device twins.
    case twin
    /// Advertisements of Bluetooth devices, plain and encrypted.
    case bluetooth
    /// A whole broker and what several clients do to it: see `BrokerScript`.
    case broker
    /// What a Modbus device sends.
    case modbus

    func run(_ input: [UInt8]) {
        switch self {
        case .mqtt4: input.withUnsafeBytes { Packets.take($0, .v311) }
        case .mqtt5: input.withUnsafeBytes { Packets.take($0, .v5) }
        case .websocket: Streams.webSocket(input)
        case .http: Streams.http(input)
        case .proxy: Streams.proxy(input)
        case .batch: Batches.take(input)
        case .toml: Files.toml(input)
        case .passwords: Files.passwords(input)
        case .acl: Files.list(input)
        case .scram: Files.scram(input)
        case .twin: TwinMessage.take(input)
        case .bluetooth: Advertisements.take(input)
        case .broker: BrokerScript(input).play()
        case .modbus: ModbusBytes.take(input)
        }
    }
}

/// Files of the configuration.
private enum Files {
    /// What is read prints, and reads back the same.
    static func toml(_ input: [UInt8]) {
        do throws(ConfigurationError) {
            let settings = try Settings.parse(input, file: "f")
            let printed = settings.printed(maskingSecrets: false)
            let again = try? Settings.parse(Array(printed.utf8), file: "printed")
            // NaN in a module's own keys is equal to nothing.
            precondition(again == settings || again?.printed() == settings.printed(), "printed otherwise than read")
        } catch {
            precondition(!error.problems.isEmpty)
        }
    }

    static func passwords(_ input: [UInt8]) {
        let file = PasswordFile(input, path: "f")
        for (name, hash) in file.hashes {
            precondition((try? PasswordHash(hash.text)) == hash, "a hash is written otherwise than read")
            guard PasswordFile.problem(ofName: String(decoding: name, as: UTF8.self)) == nil else { continue }
            let (without, wasThere) = PasswordFile.replacing(
                String(decoding: name, as: UTF8.self), by: nil, in: input)
            precondition(wasThere && PasswordFile(without, path: "f").hashes[name] == nil, "deleted and still there")
        }
    }

    static func list(_ input: [UInt8]) {
        let list = AccessList(input, path: "f")
        let names = Array(list.users.keys) + [[], Array("a+b".utf8)]
        for name in names.prefix(8) {
            let patterns = list.patterns(userName: name, clientIdentifier: Array("c".utf8)) ?? []
            let rights = RuledRights([list.users[name] ?? list.anonymous, patterns])
            for topic in ["a", "a/b", "$SYS/x", "/"] {
                Array(topic.utf8).withUnsafeBytes { topic in
                    // Who may receive something may subscribe to it.
                    if rights.mayReceive(topic) { precondition(rights.maySubscribe(to: topic), "denied and delivered") }
                    _ = rights.mayPublish(to: topic)
                }
            }
        }
    }

    /// The first line is the first message, the second one the last; the nonce in it is filled in, as a client would.
    static func scram(_ input: [UInt8]) {
        let parts = input.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
        guard var exchange = try? ScramExchange(Array(parts[0])) else { return }
        let hash = PasswordHash.pretended(iterations: 4096, salt: Array(1...16))
        let challenge = exchange.challenge(hash, "server")
        precondition(challenge.starts(with: "r=".utf8))
        guard parts.count > 1 else { return }
        // Nobody has the keys of a pretended hash.
        precondition((try? exchange.verify(Array(parts[1]))) == nil, "let in without a password")
    }
}
