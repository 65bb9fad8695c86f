import Broker
import MQTT
import Store
import Testing

@testable import Uplink

/// A node whose disk is put back to an older state: what it sends again is known, and what it makes anew is new.
@Suite struct RestoredDiskTests {
    private let folder = Folder()
    private let site = Site()

    @Test func aRestoredSnapshotOfTheNodeDoublesAndHidesNothing() throws {
        let cloud = try ReceivingNode("cloud", in: site, directory: folder.path)
        let everybody = site.client("everybody", at: "cloud", subscribing: "sync/#")
        let node = try ReceivingNode("node", in: site, directory: folder.path, peers: ["cloud"])
        site.pass(.seconds(3))
        func publish(_ numbers: ClosedRange<Int>, to host: String) {
            let sensor = site.client("sensor", at: host)
            site.pass(.milliseconds(100))
            for number in numbers {
                _ = sensor.client.publish(topic: "sync/x", payload: Array("\(number)".utf8), qos: .atLeastOnce)
            }
            site.pass(.seconds(2))
            sensor.client.disconnect()
            site.pass(.milliseconds(100))
        }
        node.uplinks[0].pause()
        publish(1...20, to: "node")
        let snapshot = Folder()
        try snapshot.take(folder)
        node.uplinks[0].resume()
        site.pass(.seconds(5))
        publish(21...30, to: "node")
        #expect(everybody.received.count == 30)
        node.crash(in: site)
        site.pass(.seconds(1))

        let restored = try ReceivingNode("node", in: site, directory: snapshot.path, peers: ["cloud"])
        site.pass(.seconds(5))
        publish(31...40, to: "node")
        site.pass(.seconds(5))

        #expect(everybody.received.map(\.payload) == (1...40).map { "\($0)" })
        #expect(cloud.ingest.figures.duplicates == 20, "1 to 20 came again, under the numbers of their run")
        let runs = cloud.ingest.coverage(of: "node")
        #expect(runs.map { $0.state.spans.map { [$0.first, $0.last] } } == [[[1, 30]], [[1, 10]]])
        #expect(runs.map { $0.missing.isEmpty } == [true, true])
        #expect(runs.map { $0.state.ended != nil } == [true, false], "the run that was cut short is over")
        #expect(restored.queues[0].messages == 0)
    }
}
