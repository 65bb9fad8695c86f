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

    var speaksTLS: Bool { tls != nil }

    func accept(_ stream: ByteStream) {
        guard let tls else { return broker.accept(stream, listener: options) }
        do throws(TLSError) {
            broker.accept(try TLSStream(server: tls, over: stream), listener: options)
        } catch {
            stream.close()
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
