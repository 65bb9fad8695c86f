import Broker
import EventLoop
import MQTT
import Store
import Testing
import Uplink

@testable import Admin

/// A real uplink, as the admin interface shows and steers it.
@Suite final class UplinkReportTests {
    private let directory = TemporaryDirectory()

    private final class Nowhere: MessageSink {
        func publish(_ message: PublishView, from origin: Broker.Origin, settled: @escaping (ReasonCode) -> Void) {}
        func ingest(_ messages: [PublishView], changes: [Change], committed: @escaping () -> Void) -> Bool { false }
    }

    @Test func followsTheLink() throws {
        let node = try Node(directory.path, routes: [])
        let options = UplinkOptions(
            name: "cloud", node: "edge-1", urls: ["mqtt://cloud:1883"], clientIdentifier: "edge-1-cloud")
        let uplink = try Uplink(
            options: options, loop: node.bench.loop, network: node.bench.network, queues: [], sink: Nowhere(),
            storeTime: { 0 })
        node.admin.uplinks = [uplink]
        uplink.onState = { [unowned node] _ in node.admin.uplinkStateChanged() }
        #expect(try node.get("/uplink").contains(#""state":"paused""#))

        #expect(try node.bench.ask("POST", "/uplink/cloud/resume").status == 200)
        node.pass(.seconds(300))

        let status = try node.get("/status")
        #expect(status.contains(#""state":"waiting","url":"mqtt://cloud:1883","since_seconds":300,"error":""#))
        #expect(status.contains("uplink cloud to mqtt://cloud:1883 has been down for 5 min: "))
        #expect(try node.bench.ask("POST", "/uplink/cloud/pause").status == 200)
        #expect(try node.get("/status").contains("uplink cloud is paused"))
        #expect(try node.get("/health") == "{\"status\":\"ok\",\"reasons\":[]}\n")
    }
}
