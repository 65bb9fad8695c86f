import Broker
import Uplink

/// Says what becomes of a link, one line an episode: that it is down, and that it is up again. What happens in between
/// (one attempt after the other, each with its reason) is for those who set `log.level = "debug"`.
final class LinkEpisodes {
    private let logger: Logger
    private var shown: Uplink.State?
    /// Reasons that were told since the link was last up.
    private var told: Set<String> = []
    private static let mostTold = 20

    init(_ logger: Logger) { self.logger = logger }

    func note(_ uplink: Uplink, _ state: Uplink.State) {
        let reason = uplink.error.map { ": \($0)" } ?? ""
        let isNews: Bool
        switch state {
        // After a connection that was of no use, the next one has yet to show that it is.
        case .connected, .noReceiver: isNews = state != shown && uplink.isProven
        case .paused: isNews = state != shown
        case .connecting: isNews = false
        case .waiting: isNews = shown != .waiting || (told.count < Self.mostTold && !told.contains(reason))
        }
        if isNews {
            if state != .waiting { told = [] }
            shown = state
            told.insert(reason)
        }
        let words = state == .waiting ? "down" : state.rawValue
        logger.log(isNews ? .notice : .debug, "uplink \(uplink.options.name) to \(uplink.url) is \(words)\(reason)")
    }
}
