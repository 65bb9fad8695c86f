import Broker
import EventLoop
import Store

/// Says what was found damaged on the disk: a salvage with all that is known of it, single segments one line an episode.
final class DamageEpisodes {
    /// An episode is over once nothing has been found for so long.
    private static let quiet: Duration = .seconds(60)
    private let logger: Logger
    private let loop: EventLoop
    private var last: Instant?

    init(_ logger: Logger, loop: EventLoop) {
        self.logger = logger
        self.loop = loop
    }

    func note(_ damage: StoreDamage) {
        switch damage {
        case .salvaged(let report): note(report)
        case .setAside(let messages):
            let isNews = last.map { loop.now - $0 >= Self.quiet } ?? true
            last = loop.now
            logger.log(
                isNews ? .error : .debug,
                "\(messages) \(messages == 1 ? "message is" : "messages are") damaged on the disk and set aside; far ends hear of the gap. "
                    + "`roost store check` verifies the rest")
        }
    }

    private func note(_ report: SalvageReport) {
        let kept = report.evidence.map { "; the damaged file is kept as \($0)" } ?? "; the damaged file is not kept"
        logger.log(.error, "the database was damaged (\(report.reason)): \(report.summary)\(kept)")
        for stream in report.streams where !stream.lost.isEmpty {
            let numbers = stream.lost.prefix(20).map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", ")
            let more = stream.lost.count > 20 ? ", and \(stream.lost.count - 20) more stretches" : ""
            logger.log(
                .error,
                "lost of \(stream.route ?? "sessions, stream \(stream.id.rawValue)"), run \(stream.run): \(numbers)\(more)"
            )
        }
    }
}
