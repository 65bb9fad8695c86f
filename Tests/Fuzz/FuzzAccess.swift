import MQTT

@testable import Broker

/// Rights by listener. The user name `eve` may not come in.
final class FuzzAccess: AccessControl {
    var listeners: [ListenerOptions] = []

    static let readable = [["#"], ["a/#", "p"], ["b/+", "p"], ["p"]]
    static let writable = [["#"], ["a/#", "p"], ["b/+", "p", "a/secret"], []]

    private final class Rights: TopicRights {
        let index: Int
        init(_ index: Int) { self.index = index }

        private func allowed(_ filters: [String], _ topic: UnsafeRawBufferPointer) -> Bool {
            filters.contains { filter in
                Array(filter.utf8).withUnsafeBytes { TopicFilter.matches(filter: $0, topic: topic) }
            }
        }
        func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool { allowed(FuzzAccess.writable[index], topic) }
        func mayReceive(_ topic: UnsafeRawBufferPointer) -> Bool { allowed(FuzzAccess.readable[index], topic) }
        func maySubscribe(to filter: UnsafeRawBufferPointer) -> Bool {
            FuzzAccess.readable[index].contains { own in
                Array(own.utf8).withUnsafeBytes { TopicFilter.overlap($0, filter) }
            }
        }
    }

    func admit(_ candidate: Candidate, then: @escaping (Admission) -> Void) {
        guard candidate.userName.map({ !$0.elementsEqual("eve".utf8) }) ?? true,
            let index = listeners.firstIndex(where: { $0 === candidate.listener })
        else { return then(.refused(.badUserNameOrPassword, why: nil)) }
        then(
            .admitted(
                ClientIdentity(clientIdentifier: candidate.clientIdentifier, rights: index == 0 ? nil : Rights(index))))
    }

    func authentication(by method: String, of candidate: Candidate) -> (any Authentication)? {
        method == "x" ? FuzzLogin(self, candidate) : nil
    }

    func review(_ identity: ClientIdentity) -> ClientIdentity? { identity }

    func restored(clientIdentifier: [UInt8], userName: [UInt8]) -> ClientIdentity {
        ClientIdentity(clientIdentifier: clientIdentifier, userName: userName)
    }
}

/// An authentication whose outcome is up to the input.
private final class FuzzLogin: Authentication {
    private let access: FuzzAccess
    private let candidate: Candidate
    private var steps = 0

    init(_ access: FuzzAccess, _ candidate: Candidate) {
        self.access = access
        self.candidate = candidate
    }

    func take(_ data: [UInt8]?, then: @escaping (AuthenticationStep) -> Void) {
        steps += 1
        let wish = data?.first ?? 0
        guard wish & 2 == 0 || steps > 3 else { return then(.goOn([UInt8(steps)])) }
        guard wish & 4 == 0 else { return then(.refused(.notAuthorized, why: nil)) }
        access.admit(candidate) { admission in
            switch admission {
            case .admitted(let identity): then(.admitted(identity, [0]))
            case .refused(let reason, let why): then(.refused(reason, why: why))
            }
        }
    }
}
