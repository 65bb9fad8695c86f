import Broker
import MQTT
import Store
import Testing

@testable import Uplink

/// Lets everybody in, and forbids some topics.
private final class Forbidding: AccessControl, TopicRights {
    var topics: Set<String> = []

    func admit(_ candidate: Candidate, then: @escaping (Admission) -> Void) {
        then(.admitted(ClientIdentity(clientIdentifier: candidate.clientIdentifier, rights: self)))
    }
    func review(_ identity: ClientIdentity) -> ClientIdentity? { identity }
    func restored(clientIdentifier: [UInt8], userName: [UInt8]) -> ClientIdentity {
        ClientIdentity(clientIdentifier: clientIdentifier, userName: userName, rights: self)
    }

    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool {
        !topics.contains(String(decoding: topic, as: UTF8.self))
    }
    func mayReceive(_ topic: UnsafeRawBufferPointer) -> Bool { true }
    func maySubscribe(to filter: UnsafeRawBufferPointer) -> Bool { true }
}

/// Batches through a broker's connections: what clients are answered, and who hears what.
@Suite struct IngestBrokerTests {
    private let folder = Folder()
    private let site = Site()
    private let access = Forbidding()

    private func cloud(_ change: (inout IngestOptions) -> Void = { _ in }) throws -> ReceivingNode {
        try ReceivingNode("cloud", in: site, directory: folder.path, access: access, change)
    }

    @Test func aRefusedBatchIsAnswered0x99AndItsCopyKept() throws {
        let cloud = try cloud { $0.filter = "roost/#" }
        let person = site.client("person", at: "cloud", subscribing: "roost/#")
        let node = site.client("pump-7", at: "cloud")
        site.pass(.zero)

        node.send(Array("garbage".utf8))
        site.pass(.zero)

        #expect(node.acknowledged == [.payloadFormatInvalid])
        #expect(node.closings.isEmpty)
        #expect(person.received.map(\.topic) == ["roost/refused/\(Batch.shard(of: "pump-7"))/pump-7"])
        #expect(person.received.map(\.payload) == ["garbage"])
        #expect(cloud.ingest.figures.refusedBatches == 1, "the copy did not come in")
        #expect(cloud.lines.count == 1)
    }

    @Test func onMQTT311TheConnectionIsClosed() throws {
        let cloud = try cloud()
        let node = site.client("pump-7", at: "cloud", version: .v311)
        site.pass(.zero)

        node.send(Array("garbage".utf8))
        site.pass(.zero)

        #expect(node.acknowledged.isEmpty)
        #expect(node.closings.count == 1)
        #expect(cloud.ingest.figures.refusedBatches == 1)
    }

    @Test func anUnknownVersionClosesMQTT311WithoutACopy() throws {
        let cloud = try cloud()
        let person = site.client("person", at: "cloud", subscribing: "roost/refused/#")
        let node = site.client("pump-7", at: "cloud", version: .v311)
        site.pass(.zero)
        var batch = makeBatch(samples(1...1))
        let version = try #require(batch.firstIndex(of: UInt8(ascii: "v")))
        batch[version + 3] = UInt8(ascii: "2")

        node.send(batch)
        site.pass(.zero)

        #expect(node.acknowledged.isEmpty)
        #expect(node.closings.count == 1)
        #expect(person.received.isEmpty)
        #expect(cloud.ingest.figures.refused == ["version": 1])
    }

    @Test func theRightToPublishBatchesIsAskedFirst() throws {
        let cloud = try cloud()
        access.topics = [Batch.topic(prefix: "roost/batch", node: "pump-7")]
        let node = site.client("pump-7", at: "cloud")
        site.pass(.zero)

        node.send(makeBatch(samples(1...1)))
        site.pass(.zero)

        #expect(node.acknowledged == [.notAuthorized])
        #expect(cloud.ingest.figures == Ingest.Figures(), "it was not opened")
    }

    @Test func innerTopicsNeedTheRightToo() throws {
        let cloud = try cloud { $0.topic = "{node}/{topic}" }
        access.topics = ["pump-7/secret"]
        let everybody = site.client("everybody", at: "cloud", subscribing: "pump-7/#")
        let node = site.client("pump-7", at: "cloud")
        site.pass(.zero)

        node.send(makeBatch([Sample(topic: "open"), Sample(topic: "secret")]))
        node.send(makeBatch([Sample(topic: "open")]))
        site.pass(.zero)

        #expect(node.acknowledged == [.payloadFormatInvalid, .success])
        #expect(everybody.received.map(\.topic) == ["pump-7/open"])
        #expect(cloud.ingest.figures.refused == ["topic": 1])
    }

    @Test func messagesGoToEverybodyAndTheBatchToNobody() throws {
        let cloud = try cloud()
        let everybody = site.client("everybody", at: "cloud", subscribing: "#")
        let kept = site.client("kept", at: "cloud", subscribing: "plant/#", session: 3600)
        let node = site.client("pump-7", at: "cloud")
        site.pass(.zero)

        node.send(makeBatch([Sample(topic: "roost/batch/3f/pump-7", payload: "looks like one"), Sample(payload: "2")]))
        node.send(makeBatch([Sample(payload: "3", qos: .atMostOnce)], header: makeHeader(sequence: 3)))
        site.pass(.zero)

        #expect(node.acknowledged == [.success, .success])
        #expect(everybody.received.map(\.payload) == ["looks like one", "2", "3"])
        // At QoS 0 and 1, between which MQTT promises no order.
        #expect(kept.received.map(\.payload).sorted() == ["2", "3"])
        #expect(cloud.ingest.figures.batches == 2)
    }

    @Test func retainedMessagesOfABatchAreRetained() throws {
        _ = try cloud()
        let node = site.client("pump-7", at: "cloud")
        site.pass(.zero)

        node.send(makeBatch([Sample(payload: "1", retain: true), Sample(payload: "2", retain: true)]))
        site.pass(.zero)
        let late = site.client("late", at: "cloud", subscribing: "plant/#")
        site.pass(.zero)

        #expect(late.received.map(\.payload) == ["2"])
    }
}

/// A stop on either side of the commit: the node sends again, and everything is delivered once.
@Suite struct IngestCrashTests {
    private let folder = Folder()
    private let site = Site()

    @Test(arguments: [false, true])
    func aCrashLosesAndDoublesNothing(isCommitted: Bool) throws {
        let first = try ReceivingNode("cloud", in: site, directory: folder.path)
        let kept = site.client("kept", at: "cloud", subscribing: "plant/#", session: 3600)
        let node = site.client("pump-7", at: "cloud")
        site.pass(.zero)
        kept.client.disconnect()
        site.pass(.zero)

        // The batch is in, and its group handed to the writer; the power goes before or after the writer is done, and in any
        // case before the answer is on its way.
        node.send(makeBatch(samples(1...3)))
        first.isCrashed = true
        site.pass(.zero)
        #expect(node.acknowledged.isEmpty)
        if isCommitted { first.commitUnheard() }
        first.crash(in: site)
        let copy = Folder()
        try copy.take(folder)
        site.pass(.seconds(1))

        let second = try ReceivingNode("cloud", in: site, directory: copy.path)
        #expect(second.ingest.states.runCount == (isCommitted ? 1 : 0))
        let again = site.client("pump-7", at: "cloud")
        let back = site.client("kept", at: "cloud", subscribing: "plant/#", session: 3600)
        site.pass(.seconds(1))
        again.send(makeBatch(samples(1...4)))
        site.pass(.seconds(1))

        #expect(again.acknowledged == [.success])
        #expect(back.received.map(\.payload) == ["1", "2", "3", "4"])
        #expect(second.ingest.figures.duplicates == (isCommitted ? 3 : 0))
    }

    @Test func anOlderCopyOfTheReceiversDiskTakesAgainWhatItLost() throws {
        let first = try ReceivingNode("cloud", in: site, directory: folder.path)
        site.client("pump-7", at: "cloud").sendWhenConnected(makeBatch(samples(1...3)), site)
        let snapshot = Folder()
        try snapshot.take(folder)
        site.client("pump-7", at: "cloud").sendWhenConnected(
            makeBatch(samples(4...6), header: makeHeader(sequence: 4)), site)
        #expect(first.ingest.figures.messages == 6)
        first.crash(in: site)
        site.pass(.seconds(1))

        let restored = try ReceivingNode("cloud", in: site, directory: snapshot.path)
        let listener = site.client("everybody", at: "cloud", subscribing: "plant/#")
        site.client("pump-7", at: "cloud").sendWhenConnected(
            makeBatch(samples(2...8), header: makeHeader(sequence: 2)), site)

        // 4 to 6 are told again, which is right: this receiver has never had them.
        #expect(listener.received.map(\.payload) == ["4", "5", "6", "7", "8"])
        #expect(restored.state(of: "pump-7", route: "cloud/plant", epoch: makeHeader().run.epoch)?.missing == [])
    }
}
