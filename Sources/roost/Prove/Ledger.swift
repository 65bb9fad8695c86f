import EventLoop
import MQTT

/// Holds what publishers were promised against what arrived: at the cloud, and in the persistent session on the node.
final class Ledger {
    /// Where messages come out.
    enum Place {
        case cloud, session
    }

    /// At one place, over all topics.
    struct Arrived {
        /// Different messages of QoS 1 or 2.
        var messages = 0
        var atQoS0 = 0
        /// Acknowledged, and not arrived (yet).
        var missing = 0
        var outOfOrder = 0
        var duplicates = 0
        var repeated = 0
        var redelivered = 0
        /// Refused by the node, and here all the same.
        var refused = 0
    }

    /// At QoS 1 and 2, if not said otherwise.
    struct Totals {
        /// Handed to a connected client, each message once.
        var published = 0
        var publishedAtQoS0 = 0
        var acknowledged = 0
        var refused = 0
        var resent = 0
        var cloud = Arrived()
        var session = Arrived()
        /// What plain MQTT would have taken on the link for all that arrived at the cloud.
        var plainBytes = 0
        /// Messages that nobody had sent, or not like this.
        var strange = 0
        /// Sessions that were to outlive a connection and had not, and answers that fit no question.
        var complaints: [String] = []
    }

    /// A message that came again without a reason.
    struct Duplicate {
        var place: Place
        var series: Int
        var number: UInt64
        /// How often its publisher had sent it again, as far as is remembered, and the highest that had come.
        var resends: Int
        var highest: UInt64
        var at: Instant
    }

    let workload: Workload
    private let loop: EventLoop
    private(set) var accounts: [Account]
    private(set) var totals = Totals()
    /// The first ones.
    private(set) var duplicates: [Duplicate] = []
    /// Counts connections, so that redeliveries can be told from duplicates.
    private var connections = (cloud: 0, session: 0)

    init(_ workload: Workload, loop: EventLoop) {
        self.workload = workload
        self.loop = loop
        accounts = workload.series.map(Account.init)
    }

    // MARK: - What publishers say

    /// The number of the next message of that topic.
    func next(_ series: Int) -> UInt64 { accounts[series].published + 1 }

    func published(_ series: Int) {
        accounts[series].published += 1
        if accounts[series].qos == .atMostOnce { totals.publishedAtQoS0 += 1 } else { totals.published += 1 }
    }

    func resent(_ series: Int, _ number: UInt64) {
        totals.resent += 1
        accounts[series].resend(number, at: loop.now)
    }

    func acknowledged(_ series: Int, _ number: UInt64) {
        totals.acknowledged += 1
        accounts[series].acknowledge(number, at: loop.now)
        if !accounts[series].cloud.contains(number) { totals.cloud.missing += 1 }
        if let session = accounts[series].session, !session.contains(number) { totals.session.missing += 1 }
    }

    func refused(_ series: Int, _ number: UInt64) {
        totals.refused += 1
        accounts[series].refuse(number)
    }

    func complain(_ text: String) {
        if totals.complaints.count < 100 { totals.complaints.append(text) }
    }

    // MARK: - What readers say

    func connected(_ place: Place) {
        switch place {
        case .cloud: connections.cloud += 1
        case .session: connections.session += 1
        }
    }

    func arrived(at place: Place, topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        guard let (series, number) = workload.identify(topic: topic, payload: payload),
            number <= accounts[series].published
        else {
            totals.strange += 1
            return
        }
        switch place {
        case .cloud:
            let kind = accounts[series].note(number, connection: connections.cloud)
            totals.cloud.count(kind, number, accounts[series])
            if kind == .duplicate { noteDuplicate(place, series, number, accounts[series].cloud.highest) }
            if kind == .first || kind == .late {
                totals.plainBytes += PlainMQTT.bytes(topic: topic, payloadCount: payload.count)
            }
        case .session:
            let kind = accounts[series].noteAtSession(number, connection: connections.session)
            totals.session.count(kind, number, accounts[series])
            if kind == .duplicate { noteDuplicate(place, series, number, accounts[series].session?.highest ?? 0) }
        }
    }

    private func noteDuplicate(_ place: Place, _ series: Int, _ number: UInt64, _ highest: UInt64) {
        guard duplicates.count < 20 else { return }
        duplicates.append(
            Duplicate(
                place: place, series: series, number: number, resends: accounts[series].resends(of: number),
                highest: highest, at: loop.now))
    }

    // MARK: - What is wrong

    /// The first messages that were acknowledged and are missing there.
    func missing(at place: Place, limit: Int) -> [(series: Int, number: UInt64, acknowledged: Instant?)] {
        var found: [(series: Int, number: UInt64, acknowledged: Instant?)] = []
        for (index, account) in accounts.enumerated() where found.count < limit {
            guard let arrivals = place == .cloud ? account.cloud : account.session else { continue }
            for number in Account.missing(account.acknowledged, at: arrivals, limit: limit - found.count) {
                found.append((index, number, account.acknowledgement(of: number)))
            }
        }
        return found
    }
}

extension Account {
    mutating func note(_ number: UInt64, connection: Int) -> Arrivals.Kind {
        cloud.note(number, qos, resends: resends(of: number), connection: connection)
    }

    mutating func noteAtSession(_ number: UInt64, connection: Int) -> Arrivals.Kind {
        let resends = resends(of: number)
        return session?.note(number, qos, resends: resends, connection: connection) ?? .duplicate
    }
}

extension Ledger.Arrived {
    mutating func count(_ kind: Arrivals.Kind, _ number: UInt64, _ account: Account) {
        switch kind {
        case .repeated: repeated += 1
        case .redelivered: redelivered += 1
        case .duplicate: duplicates += 1
        case .first, .late:
            if kind == .late { outOfOrder += 1 }
            if account.qos == .atMostOnce {
                atQoS0 += 1
            } else {
                messages += 1
                if account.acknowledged.contains(number) { missing -= 1 }
                if account.refused.contains(number) { refused += 1 }
            }
        }
    }
}

extension Ledger.Totals {
    /// The promise is kept, as far as counting tells.
    var isKept: Bool {
        acknowledged > 0 && strange == 0 && complaints.isEmpty && cloud.isKept && session.isKept
    }
}

extension Ledger.Arrived {
    fileprivate var isKept: Bool { missing == 0 && outOfOrder == 0 && duplicates == 0 && refused == 0 }
}
