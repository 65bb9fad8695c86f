import Client
import EventLoop
import Glibc
import MQTT

/// One MQTT command's loop, client and end: runs until the command says it is done, Ctrl-C asks for the end, or something
/// fails.
final class MQTTRun {
    let loop: EventLoop
    let client: MQTTClient
    let address: MQTTAddress
    private let layers: StreamLayers
    private let quiet: Bool
    private var signals: SignalSource?
    private var failure: Failure?
    /// Ctrl-C or SIGTERM came.
    private(set) var isInterrupted = false

    init(_ arguments: MQTTOptions, role: String, adjust: (inout MQTTClient.Options) -> Void = { _ in }) throws {
        address = try arguments.address()
        layers = try arguments.tls.layers(to: address)
        quiet = arguments.quiet
        var options = try arguments.clientOptions(role: role)
        adjust(&options)
        do throws(SystemError) {
            loop = try EventLoop()
        } catch {
            throw Failure.refused("cannot start: \(error)")
        }
        client = MQTTClient(loop: loop, network: SocketNetwork(loop: loop), options: options)
    }

    /// Connects and turns the loop until `stop` or `fail`.
    func run(_ delegate: any MQTTClientDelegate) throws {
        do throws(SystemError) {
            signals = try SignalSource(loop: loop, signals: [SIGINT, SIGTERM]) { [unowned self] _ in interrupt() }
        } catch {
            throw Failure.refused("cannot start: \(error)")
        }
        client.delegate = delegate
        connect()
        loop.run()
        if let failure { throw quiet ? Failure(code: failure.code, message: "") : failure }
    }

    func connect() { client.connect(to: address.endpoint, through: layers) }

    func stop() { loop.stop() }

    func fail(_ failure: Failure) {
        if self.failure == nil { self.failure = failure }
        loop.stop()
    }

    /// As `fail`, saying DISCONNECT before.
    func failAndDisconnect(_ failure: Failure) {
        if self.failure == nil { self.failure = failure }
        if client.isActive { client.disconnect() } else { loop.stop() }
    }

    /// Complains, unless --quiet, and goes on.
    func warn(_ text: String) {
        if !quiet { Terminal.complain("roost: \(text)") }
    }

    /// What the end of a connection means for a command that doesn't try again.
    func failure(for error: MQTTClientError) -> Failure? {
        switch error {
        case .disconnected: nil
        case .refused: .refused("\(address.endpoint) \(error)")
        case .cannotConnect(let text): .cannotConnect("cannot connect: \(text)")
        default: .cannotConnect("\(address.endpoint): \(error)")
        }
    }

    private func interrupt() {
        if isInterrupted || !client.isActive { return loop.stop() }
        isInterrupted = true
        client.disconnect()
    }
}
