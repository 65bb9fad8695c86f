import Broker
import Uplink

/// Says what becomes of a link, one line an episode: that it is down, and that it is up again. What happens in between
/// (one attempt after the other, each with its reason) is for those who set `log.level = "debug"`.
final class LinkEpisodes {
    private let logger: Logger
    private var shown: Uplink.State?

    init(_ logger: Logger) { self.logger = logger }

    func note(_ uplink: Uplink, _ state: Uplink.State) {
        let reason = uplink.error.map { ": \($0)" } ?? ""
        let isNews: Bool
        switch state {
        case .connected, .paused, .noReceiver: isNews = state != shown
        case .connecting: isNews = false
        case .waiting: isNews = shown != .waiting
        }
        if isNews { shown = state }
        let words = state == .waiting ? "down" : state.rawValue
        logger.log(isNews ? .notice : .debug, "uplink \(uplink.options.name) to \(uplink.url) is \(words)\(reason)")
    }
}
