import Broker
import Configuration
import EventLoop
import Glibc
import Store
import Uplink

/// The thread that calls, which is the loop's.
private enum LoopThread {
    /// CPU time that it has used.
    static var cpuNanoseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension Daemon {
    /// Makes each uplink with a queue for each of its routes, and starts it.
    func startUplinks(_ state: StoredState) throws(Failure) {
        for settings in settings.uplinks {
            let queues = settings.carriedRoutes.map { makeQueue($0, of: settings, state) }
            let options = try UplinkOptions(settings, node: self.settings.node)
            let tls = try settings.tlsContext()
            do throws(UplinkError) {
                let uplink = try Uplink(
                    options: options, loop: loop, network: network, queues: queues, sink: broker, tls: tls,
                    storeTime: { [log] in log.clock.now }, cpuTime: { LoopThread.cpuNanoseconds })
                uplink.onNotice = { [logger] in logger.log(.notice, "uplink \(settings.name): \($0)") }
                let episodes = LinkEpisodes(logger)
                uplink.onState = { [unowned uplink] state in episodes.note(uplink, state) }
                uplinks.append(uplink)
                if settings.twin {
                    // What it hasn't got, or has lost with our Session, it is told.
                    uplink.onConnect = { [weak twins] isKnown in if !isKnown { twins?.tellAgain() } }
                }
                uplink.start()
            } catch {
                throw Failure(exitCode: 1, message: "uplink \(settings.name): \(error)")
            }
        }
        announceTwins()
    }

    private func makeQueue(_ route: RouteSettings, of uplink: UplinkSettings, _ state: StoredState) -> RouteQueue {
        let queue = RouteQueue(
            name: "\(uplink.name)/\(route.placeName)", evictionClass: EvictionClass(route.priority),
            storesQoS0: route.storeQoS0, ttl: route.ttl?.milliseconds, budgetBytes: route.budgetBytes.map { Int64($0) },
            log: log, state: state, policy: RoutePolicy(route))
        broker.add(Route(uplink: uplink.name, filters: uplink.filters(of: route), queue: queue))
        return queue
    }

    /// Takes batches from other nodes, where the settings say so.
    func startIngest(_ state: StoredState) throws(Failure) {
        guard settings.ingest.enabled else { return }
        let stored = state.states.filter { $0.kind == .receiver }.map { (key: $0.key, value: $0.value) }
        do throws(TopicMapping.PatternError) {
            let ingest = try Ingest(
                options: IngestOptions(settings.ingest, node: settings.node, twins: settings.twin.enabled),
                sink: broker,
                stored: stored, storeTime: { [log] in log.clock.now })
            ingest.onNotice = { [logger] in logger.log(.warning, "ingest: \($0)") }
            self.ingest = ingest
            broker.receiver = ingest
            broker.announcedNode = settings.node.id
        } catch {
            throw Failure(exitCode: 1, message: "ingest.topic: \(error)")
        }
    }

    /// What came in runs that are long over need not be known any more.
    func forgetReceived() {
        guard let changes = ingest?.forgetEnded(), !changes.isEmpty else { return }
        for change in changes { log.lazily(change) }
    }
}
