import Uplink

extension Uplink: AdministeredUplink {
    public var report: UplinkReport {
        var report = UplinkReport(
            name: options.name, state: UplinkReport.State(state), since: since, url: url, error: error)
        let figures = figures
        report.roundTripMilliseconds = figures.roundTripMilliseconds
        report.sentMessages = figures.sentMessages
        report.sentBytes = figures.sentBytes
        report.receivedBytes = figures.receivedBytes
        report.acknowledgedMessages = figures.acknowledgedMessages
        report.downgradedMessages = figures.downgradedMessages
        report.reconnects = figures.reconnects
        report.unansweredSince = unansweredSince
        return report
    }
}

extension Uplink {
    public func holding(route name: String) -> String? {
        options.routes.firstIndex { $0.name == name }.flatMap { holding(route: $0) }
    }
}

extension UplinkReport.State {
    init(_ state: Uplink.State) {
        switch state {
        case .connected: self = .connected
        case .connecting: self = .connecting
        case .waiting: self = .waiting
        case .paused: self = .paused
        case .noReceiver: self = .noReceiver
        }
    }
}
