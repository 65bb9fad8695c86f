import MQTT
import Store
import Uplink

/// The numbers that the node's routes have given, known from the node's own side: which message each is of, and which of
/// them must be accounted for.
///
/// What must hold, once all is drained: each number of a run up to the highest that was on the node's disk when the run was
/// over, or that was given where the run still lasts or has ended in good order, is at the receiver as a packet or in a gap.
/// What a kill takes from the end of a run was promised to nobody.
final class Numbers {
    /// One run of one route.
    struct Run: Hashable {
        var route: String
        var run: BatchRun
    }

    private var messages: [Run: [UInt64: Int]] = [:]
    private(set) var places: [Int: [BatchPlace]] = [:]
    /// The highest number of each run that must be accounted for, and so all below.
    private(set) var accountable: [Run: UInt64] = [:]
    /// Epochs in the order of their runs.
    private var order: [UInt64: Int] = [:]

    /// A number is a message's. What it was given to before, if that is another.
    func note(_ place: BatchPlace, is message: Int) -> Int? {
        let run = Run(route: place.route, run: place.run)
        if let known = messages[run]?[place.number] { return known == message ? nil : known }
        messages[run, default: [:]][place.number] = message
        places[message, default: []].append(place)
        return nil
    }

    func message(at place: BatchPlace) -> Int? { messages[Run(route: place.route, run: place.run)]?[place.number] }

    /// All numbers whose message is known, run by run, in an order that doesn't change.
    var known: [(run: Run, numbers: [(number: UInt64, message: Int)])] {
        messages.sorted { ($0.key.route, $0.key.run.epoch) < ($1.key.route, $1.key.run.epoch) }.map { run, numbers in
            (run, numbers.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 })
        }
    }

    /// Later runs come behind earlier ones, whatever their numbers.
    func rank(_ place: BatchPlace) -> (Int, UInt64) { (order[place.run.epoch] ?? 0, place.number) }

    // MARK: What must be accounted for

    /// Not one that a kill took back before anybody was promised anything.
    func isAccountable(_ place: BatchPlace) -> Bool {
        place.number <= accountable[Run(route: place.route, run: place.run)] ?? 0
    }

    func account(_ route: String, _ run: BatchRun, through number: UInt64) {
        guard number > 0, number < .max else { return }
        let key = Run(route: route, run: run)
        accountable[key] = max(accountable[key] ?? 0, number)
    }

    /// A run has given so many.
    func account(_ queues: [RouteQueue], _ epoch: UInt64) {
        for queue in queues { account(queue.name, BatchRun(epoch: epoch), through: queue.stream.next - 1) }
    }

    /// The node starts: what is on its disk of earlier runs.
    func begin(_ epoch: UInt64, _ state: StoredState) {
        order[epoch] = order.count
        var epochs: [Int64: UInt64] = [:]
        for run in state.runs { epochs[run.ordinal] = run.epoch }
        for stream in state.streams {
            guard case .route(let name) = stream.record.kind, let epoch = epochs[stream.record.run] else { continue }
            account(
                name, BatchRun(epoch: epoch, lane: stream.record.lane), through: stream.numbers?.upperBound ?? 0)
        }
        for entry in state.states where entry.kind == .gap {
            guard let gap = GapRecord(key: entry.key, value: entry.value), let epoch = epochs[gap.run] else { continue }
            account(gap.route, BatchRun(epoch: epoch, lane: gap.lane), through: gap.last)
        }
    }
}
