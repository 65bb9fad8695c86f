import Broker
import Configuration
import EventLoop

/// What becomes of a connection that a listener has accepted: the layers that the listener speaks, and then the broker.
final class ListenerDoor {
    private let options: ListenerOptions
    private let broker: Broker
    private var tls: TLSServerContext?
    private let settings: ListenerSettings

    /// - Parameter all: of which the listener is one.
    init(_ settings: ListenerSettings, _ all: Settings, _ broker: Broker) throws(Daemon.Failure) {
        options = ListenerOptions(settings, all.limits)
        self.settings = settings
        self.broker = broker
        do throws(TLSError) {
            tls = try settings.tls.context()
        } catch {
            throw Daemon.Failure(exitCode: 1, message: "listener \(settings.bind): tls: \(error)")
        }
        setLimits(of: all)
    }

    /// What the listener speaks beyond MQTT over TCP, for the log: " with TLS, for WebSocket".
    var words: String {
        var words: [String] = []
        if settings.proxyProtocol != .off { words.append("behind PROXY version \(settings.proxyProtocol.rawValue)") }
        if tls != nil { words.append("with TLS") }
        switch settings.transport {
        case .mqtt: break
        case .websocket: words.append("for WebSocket")
        case .auto: words.append("for MQTT and WebSocket")
        }
        return words.isEmpty ? "" : " " + words.joined(separator: ", ")
    }

    // MARK: - Layer on layer

    /// The connect timeout counts from here, whatever has to come before CONNECT.
    func accept(_ stream: ByteStream) {
        guard let version = ProxyHeader.Version(rawValue: settings.proxyProtocol.rawValue) else {
            return secure(stream, begun: nil)
        }
        guard broker.admits(stream, at: options) else { return }
        let begun = broker.loop.now
        broker.beginsDeciding(at: options)
        ProxyHeader.take(from: stream, version, until: begun + options.limits.connectTimeout) { [self] stream in
            broker.endsDeciding(at: options)
            secure(stream, begun: begun)
        } ended: { [self] ending in
            undecided(stream, ending, "no PROXY header")
        }
    }

    /// The client's address is known: by the header, behind a proxy.
    private func secure(_ stream: ByteStream, begun: Instant?) {
        guard broker.mayConnect(stream, at: options) else { return }
        guard let tls else { return speak(over: stream, begun: begun) }
        do throws(TLSError) {
            speak(over: try TLSStream(server: tls, over: stream), begun: begun)
        } catch {
            stream.close()
        }
    }

    private func speak(over stream: ByteStream, begun: Instant?) {
        switch settings.transport {
        case .mqtt: broker.accept(stream, listener: options, begun: begun)
        case .websocket: broker.accept(webSocket(over: stream), listener: options, begun: begun)
        case .auto: decide(stream, begun: begun ?? broker.loop.now)
        }
    }

    /// HTTP begins with a method, in capital letters; no packet that a client may send first does.
    private func decide(_ stream: ByteStream, begun: Instant) {
        guard broker.admits(stream, at: options) else { return }
        broker.beginsDeciding(at: options)
        FirstBytes(of: stream, until: begun + options.limits.connectTimeout) { [self] bytes in
            let isHTTP = bytes.first.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) } ?? false
            return .handOver(dropping: 0) { [self] stream in
                broker.endsDeciding(at: options)
                broker.accept(isHTTP ? webSocket(over: stream) : stream, listener: options, begun: begun)
            }
        } ended: { [self] ending in
            undecided(stream, ending, "no CONNECT")
        }
    }

    private func webSocket(over stream: ByteStream) -> ByteStream {
        WebSocketStream(serverOver: stream, frameLimit: Self.packetsInAFrame * options.limits.packetBytes)
    }

    /// Clients may put several packets into a frame. Nothing is kept until a frame is whole, so that the limit only says when a
    /// length is nonsense.
    private static let packetsInAFrame = 16

    /// The stream was closed before it became a connection.
    private func undecided(_ stream: ByteStream, _ ending: FirstBytes.Ending, _ missing: String) {
        broker.endsDeciding(at: options)
        switch ending {
        case .refused(let reason), .closed(.protocolViolation(let reason)):
            broker.noteStranger(stream.peer, reason, at: options)
        case .timedOut: broker.noteStranger(stream.peer, "\(missing) within the connect timeout", at: options)
        case .closed: break
        }
    }

    /// Users' own limits, as they are now.
    func setLimits(of all: Settings) { options.userLimits = all.userLimits(on: settings) }

    /// Reads the certificates again; nil: there are none. Nothing changes until they are used.
    func renewedCertificates() throws(TLSError) -> TLSServerContext? { tls == nil ? nil : try settings.tls.context() }

    /// For connections to come; those that stand keep what they began with.
    func use(_ renewed: TLSServerContext) {
        if let tls { renewed.takeTicketKeys(of: tls) }
        tls = renewed
    }
}
