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
    /// A route without a receiver tries again and again, and its link counts as connected until it has the answer.
    private static let patience: Duration = .seconds(30)
    private var isWatching = false

    init(_ logger: Logger) { self.logger = logger }

    func note(_ uplink: Uplink, _ state: Uplink.State) {
        let reason = uplink.error.map { ": \($0)" } ?? ""
        let isNews: Bool
        switch state {
        case .connected where shown == .noReceiver:
            isNews = false
            watch(uplink)
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
        let words =
            switch state {
            case .waiting: "down\(reason)"
            case .noReceiver: "connected, but nobody there receives batches"
            default: state.rawValue + reason
            }
        logger.log(isNews ? .notice : .debug, "uplink \(uplink.options.name) to \(uplink.url) is \(words)")
    }

    /// Says that there is a receiver, once it has lasted.
    private func watch(_ uplink: Uplink) {
        guard !isWatching else { return }
        isWatching = true
        uplink.loop.schedule(after: Self.patience) { [weak self, weak uplink] in
            guard let self, let uplink else { return }
            isWatching = false
            guard shown == .noReceiver, uplink.state == .connected else { return }
            shown = nil
            note(uplink, .connected)
        }
    }
}
