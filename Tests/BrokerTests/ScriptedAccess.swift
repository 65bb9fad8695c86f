import MQTT

@testable import Broker

/// Rights as a test has them: filters that may be written, and read.
final class ScriptedRights: TopicRights {
    let publish: [String]
    let subscribe: [String]
    private(set) var asked = 0

    init(publish: [String] = [], subscribe: [String] = []) {
        self.publish = publish
        self.subscribe = subscribe
    }

    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool { isAmong(publish, topic) }
    func mayReceive(_ topic: UnsafeRawBufferPointer) -> Bool { isAmong(subscribe, topic) }

    private func isAmong(_ filters: [String], _ topic: UnsafeRawBufferPointer) -> Bool {
        asked += 1
        return filters.contains { filter in
            Array(filter.utf8).withUnsafeBytes { TopicFilter.matches(filter: $0, topic: topic) }
        }
    }

    func maySubscribe(to filter: UnsafeRawBufferPointer) -> Bool {
        subscribe.contains { own in Array(own.utf8).withUnsafeBytes { TopicFilter.overlap($0, filter) } }
    }
}

/// Lets in whom the test names, at once or when it says so. The user name is believed.
final class ScriptedAccess: AccessControl {
    /// By user name; without an entry a user may not come in. nil: everything.
    var rights: [String: ScriptedRights?] = ["": nil]
    var isSlow = false
    var validUntil: Int64?
    private(set) var candidates: [Candidate] = []
    private var waiting: [() -> Void] = []

    func admit(_ candidate: Candidate, then: @escaping (Admission) -> Void) {
        candidates.append(candidate)
        let decide = { [self] in
            let identity = identity(candidate.clientIdentifier, candidate.userName ?? [])
            then(identity.map { .admitted($0) } ?? .refused(.badUserNameOrPassword, why: "nobody's name"))
        }
        if isSlow { waiting.append(decide) } else { decide() }
    }

    /// Decides about all who wait.
    func decide() {
        let all = waiting
        waiting = []
        for body in all { body() }
    }

    func review(_ identity: ClientIdentity) -> ClientIdentity? {
        self.identity(identity.clientIdentifier, identity.userName)
    }

    func restored(clientIdentifier: [UInt8], userName: [UInt8]) -> ClientIdentity {
        identity(clientIdentifier, userName) ?? ClientIdentity(clientIdentifier: clientIdentifier, userName: userName)
    }

    private func identity(_ clientIdentifier: [UInt8], _ userName: [UInt8]) -> ClientIdentity? {
        guard let rights = rights[String(decoding: userName, as: UTF8.self)] else { return nil }
        return ClientIdentity(
            clientIdentifier: clientIdentifier, userName: userName, rights: rights, validUntil: validUntil)
    }
}
