import Broker
import EventLoop
import Store

/// Something that a person should know, with what to do about it.
struct Warning: Equatable {
    var text: String
    /// It is so now, and keeps the node from doing its work: `/health` says degraded.
    var isDegrading: Bool
}

extension Admin {
    /// A link that has only just begun to connect is no news.
    private static let patience: Duration = .seconds(10)
    /// Sessions that are named; of more, only the number is told.
    private static let namedSessions = 3

    var warnings: [Warning] {
        storeWarnings + uplinkWarnings + routeWarnings + moduleWarnings + sessionWarnings + clockWarnings
    }

    private var storeWarnings: [Warning] {
        var warnings: [Warning] = []
        if let failure = log.failure {
            warnings.append(
                Warning(
                    text: "the store fails: \(actions.explain(failure)); what can't be kept is not acknowledged",
                    isDegrading: true))
        } else if log.isRefusing {
            warnings.append(
                Warning(text: "the store is full and refuses messages (store.when_full)", isDegrading: true))
        } else if log.isFull {
            warnings.append(
                Warning(text: "memory for messages is full: publishers wait (store.memory)", isDegrading: true))
        }
        warnings += damageWarnings
        if log.evictedMessages > 0 {
            warnings.append(
                Warning(
                    text:
                        "evicted since the start: \(Self.messages(log.evictedMessages)); store.budget, or the route's, "
                        + "was too small", isDegrading: false))
        }
        return warnings
    }

    /// Until the next start: what was lost doesn't come back, and a disk that damages once does so again.
    private var damageWarnings: [Warning] {
        var warnings: [Warning] = []
        if let salvage = log.lastSalvage {
            let kept = salvage.evidence.map { "; the damaged file is kept as \($0)" } ?? ""
            warnings.append(
                Warning(
                    text: "the database was damaged and what is readable was saved (\(salvage.reason)): "
                        + "\(salvage.summary)\(kept). Check the disk", isDegrading: true))
        }
        if log.corruptMessages > (log.lastSalvage?.lostMessages ?? 0) {
            warnings.append(
                Warning(
                    text: "damaged on the disk and lost since the start: \(Self.messages(log.corruptMessages)). "
                        + "Check the disk (roost store check)", isDegrading: true))
        }
        return warnings
    }

    private var uplinkWarnings: [Warning] {
        uplinkStateChanged()
        return uplinks.map(\.report).compactMap { report in
            let queues = broker.routes.filter { $0.uplink == report.name }.map(\.queue)
            let backlog = age(ofStoreTime: queues.compactMap(\.oldest).min())
            let waits = backlog.map { "; the oldest message has waited \(Self.words($0))" } ?? ""
            let error = report.error.map { ": \($0)" } ?? ""
            switch report.state {
            case .connected:
                guard let trouble = report.error ?? silence(of: report) else { return nil }
                return Warning(
                    text: "uplink \(report.name) is connected to \(report.url), but \(trouble)\(waits)",
                    isDegrading: true)
            case .noReceiver:
                return Warning(
                    text: "uplink \(report.name) is connected, but nobody there receives batches (roost ingest, or "
                        + "[ingest] of a roostd)\(waits)", isDegrading: true)
            case .paused:
                return Warning(
                    text: "uplink \(report.name) is paused (roost uplink resume \(report.name))\(waits)",
                    isDegrading: false)
            case .connecting, .waiting:
                let since = downSince[report.name] ?? report.since
                guard report.error != nil || broker.loop.now - since >= Self.patience else { return nil }
                return Warning(
                    text: "uplink \(report.name) to \(report.url) has been down for "
                        + "\(Self.words(age(of: since)))\(error)\(waits)", isDegrading: true)
            }
        }
    }

    /// An upstream that answers nothing it is sent, though the connection stands.
    private func silence(of report: UplinkReport) -> String? {
        guard let since = report.unansweredSince, broker.loop.now - since >= Self.patience else { return nil }
        return "it has acknowledged nothing for \(Self.words(age(of: since)))"
    }

    private var routeWarnings: [Warning] {
        routes.filter(\.isAtBudget).map(budgetWarning)
            + routes.compactMap { route in
                if route.isOrphaned {
                    return Warning(
                        text:
                            "\(Self.messages(UInt64(route.messages))) for \(route.name), which is no longer configured "
                            + "(roost queue '\(route.name)' drop)", isDegrading: false)
                }
                guard route.refused > 0 else { return nil }
                return Warning(
                    text: "the far end has refused \(Self.messages(route.refused)) of \(route.name)", isDegrading: false
                )
            }
    }

    private func budgetWarning(_ route: RouteReport) -> Warning {
        let cost =
            log.options.refusesWhenFull
            ? "refuses messages" : "loses its oldest: \(Self.messages(route.evicted)) evicted since the start"
        return Warning(
            text: "\(route.name) is at its own budget (uplink.route.budget) and \(cost)", isDegrading: true)
    }

    private var sessionWarnings: [Warning] {
        let losing = broker.sessions.values.filter(\.isLosing)
            .sorted { $0.clientIdentifier.lexicographicallyPrecedes($1.clientIdentifier) }
        var warnings = losing.prefix(Self.namedSessions).map { session in
            Warning(
                text: "session \(Self.text(session.clientIdentifier)) is full and loses messages: "
                    + "\(session.lostMessages) so far (limits.session_messages, limits.session_bytes)",
                isDegrading: true)
        }
        if losing.count > Self.namedSessions {
            let others = losing.count - Self.namedSessions
            warnings.append(
                Warning(text: "more sessions that are full and lose messages: \(others)", isDegrading: true))
        }
        for group in broker.sharesInOrder where group.isLosing {
            warnings.append(
                Warning(
                    text: "shared subscription \(Self.text(group.filter)) is full and loses messages: "
                        + "\(group.lostMessages) so far (limits.session_messages, limits.session_bytes)",
                    isDegrading: true))
        }
        return warnings
    }

    private var clockWarnings: [Warning] {
        guard !log.clock.isSet else { return [] }
        return [
            Warning(
                text: "the clock is not set: messages get their dates once it is, if that is before they leave",
                isDegrading: false)
        ]
    }

    static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    static func messages(_ count: UInt64) -> String { count == 1 ? "1 message" : "\(count) messages" }

    /// "45 s", "12 min", "3 h 5 min", "9 d 4 h".
    static func words(_ seconds: Double) -> String {
        let whole = Int(seconds)
        func pair(_ large: Int, _ largeWord: String, _ small: Int, _ smallWord: String) -> String {
            small == 0 ? "\(large) \(largeWord)" : "\(large) \(largeWord) \(small) \(smallWord)"
        }
        switch whole {
        case ..<60: return "\(whole) s"
        case ..<3600: return "\(whole / 60) min"
        case ..<86_400: return pair(whole / 3600, "h", whole / 60 % 60, "min")
        default: return pair(whole / 86_400, "d", whole / 3600 % 24, "h")
        }
    }
}
