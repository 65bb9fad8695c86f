import Broker
import EventLoop
import Glibc
import MQTT
import Store
import Testing

@testable import Uplink

/// What an uplink sends after the daemon was started again, from a real database.
@Suite struct RestartTests {
    /// One run of the daemon.
    private final class Run {
        let loop: EventLoop
        let clock: VirtualClock
        let network: MemoryNetwork
        let upstream: ScriptedUpstream
        let sink = CollectingSink()
        let log: Log
        let queue: RouteQueue
        let uplink: Uplink
        private let store: StoreStep

        init(_ path: String, epoch: UInt64, clock: VirtualClock) throws {
            self.clock = clock
            loop = EventLoop(clock: clock, poller: VirtualPoller())
            network = MemoryNetwork(loop: loop)
            upstream = try ScriptedUpstream(loop: loop, network: network)
            let database = try Database.open(path: path)
            let state = try database.load()
            var handler: (StoreReport) -> Void = { _ in }
            store = StoreStep(database: database) { handler($0) }
            let log = Log(loop: loop, engine: store, options: LogOptions(), state: state, epoch: epoch)
            handler = { log.handle($0) }
            self.log = log
            queue = RouteQueue(
                name: "cloud/plant", evictionClass: .normal, storesQoS0: true, ttl: nil, budgetBytes: nil, log: log,
                state: state)
            uplink = try Uplink(
                options: UplinkOptions(
                    name: "cloud", node: "pump-7", urls: ["mqtt://cloud"], clientIdentifier: "pump-7-cloud",
                    routes: [RouteOptions(name: "plant")]),
                loop: loop, network: network, queues: [queue], sink: sink, storeTime: { log.clock.now }, random: { 0 })
        }

        func publish(_ payload: String) {
            Array(payload.utf8).withUnsafeBytes { payload in
                Array("plant/7".utf8).withUnsafeBytes { topic in
                    let message = Message(
                        PublishView(topic: topic, payload: payload, qos: .atLeastOnce),
                        laneSequence: log.takeLaneSequence(), receivedAt: log.clock.now, meter: log.meter)
                    log.append(message, to: [queue.stream], waiter: nil)
                }
            }
        }

        func pass(_ duration: Duration) {
            let end = clock.now + duration
            while clock.now < end {
                clock.advance(by: .milliseconds(100))
                for _ in 0..<10 {
                    loop.tick(wait: .zero)
                    store.drain()
                }
            }
        }

        func close() {
            var isClosed = false
            log.close(queue.endOfRun()) { isClosed = true }
            store.drain()
            loop.tick(wait: .zero)
            precondition(isClosed)
            loop.tearDown()
        }
    }

    @Test func aBacklogKeepsItsRunsNumbersAndTheEndIsReported() throws {
        let path = "/tmp/roost-restart-\(getpid())"
        defer { _ = system("rm -rf \(path)") }
        let clock = VirtualClock()
        let first = try Run(path, epoch: 0xA, clock: clock)
        for number in 1...30 { first.publish("\(number)") }
        first.pass(.seconds(2))
        first.close()

        let second = try Run(path, epoch: 0xB, clock: clock)
        for number in 31...40 { second.publish("\(number)") }
        second.uplink.start()
        second.pass(.seconds(5))

        let batches = second.upstream.batches
        #expect(batches.flatMap(\.messages).map(\.payload) == (1...40).map { "\($0)" })
        #expect(batches.filter { !$0.messages.isEmpty }.map(\.header.run.epoch) == [0xA, 0xB])
        #expect(batches.filter { !$0.messages.isEmpty }.map(\.header.sequence) == [1, 1])
        #expect(batches.flatMap(\.header.ended).map(\.run.epoch) == [0xA])
        #expect(batches.flatMap(\.header.ended).map(\.last) == [30])
        #expect(second.queue.messages == 0)
        #expect(second.queue.ended.isEmpty)
        second.close()
    }

    @Test func anEndIsRepeatedUntilABatchThatCarriesItIsAcknowledged() throws {
        let folder = Folder()
        let clock = VirtualClock()
        let first = try Run(folder.path, epoch: 0xA, clock: clock)
        first.publish("1")
        first.pass(.seconds(2))
        first.close()
        let second = try Run(folder.path, epoch: 0xB, clock: clock)
        second.upstream.answer = { _ in .reason(.quotaExceeded) }
        second.uplink.start()
        second.pass(.seconds(5))
        #expect(second.upstream.batches.count > 1)
        #expect(second.upstream.batches.allSatisfy { $0.header.ended.map(\.run.epoch) == [0xA] })
        second.close()

        let third = try Run(folder.path, epoch: 0xC, clock: clock)
        var refusals = 2
        third.upstream.answer = { _ in
            refusals -= 1
            return .reason(refusals >= 0 ? .quotaExceeded : .success)
        }
        third.uplink.start()
        third.pass(.seconds(60))
        third.publish("2")
        third.pass(.seconds(5))

        let ended = third.upstream.batches.map { $0.header.ended.map(\.run.epoch) }
        #expect(ended.count >= 4)
        #expect(ended.prefix(3).allSatisfy { $0 == [0xA] }, "\(ended)")
        #expect(ended.dropFirst(3).allSatisfy { $0.isEmpty }, "\(ended)")
        third.close()
    }
}
