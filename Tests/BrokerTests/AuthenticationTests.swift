import EventLoop
import MQTT
import Testing

@testable import Broker

/// Enhanced authentication (MQTT 5 §4.12) with a method that a test makes up: "echo" asks twice, and believes the name.
struct AuthenticationTests {
    private final class Echo: Authentication {
        private let access: EchoAccess
        private let candidate: Candidate
        private var name: [UInt8]?

        init(_ access: EchoAccess, _ candidate: Candidate) {
            self.access = access
            self.candidate = candidate
        }

        func take(_ data: [UInt8]?, then: @escaping (AuthenticationStep) -> Void) {
            guard let name else {
                name = data ?? []
                return then(.goOn(Array("who?".utf8)))
            }
            let answer = { [candidate, access] in
                guard data == Array("me".utf8) else { return then(.refused(.notAuthorized, why: "it is not")) }
                access.admitted += 1
                then(
                    .admitted(
                        ClientIdentity(
                            clientIdentifier: candidate.clientIdentifier, userName: name,
                            validUntil: access.validUntil), Array("welcome".utf8)))
            }
            if access.isSlow { access.waiting = answer } else { answer() }
        }
    }

    private final class EchoAccess: AccessControl {
        var isSlow = false
        var waiting: (() -> Void)?
        var admitted = 0
        var validUntil: Int64?

        func authentication(by method: String, of candidate: Candidate) -> (any Authentication)? {
            method == "echo" ? Echo(self, candidate) : nil
        }
        func admit(_ candidate: Candidate, then: @escaping (Admission) -> Void) {
            then(.admitted(ClientIdentity(clientIdentifier: candidate.clientIdentifier)))
        }
        func review(_ identity: ClientIdentity) -> ClientIdentity? { identity }
        func restored(clientIdentifier: [UInt8], userName: [UInt8]) -> ClientIdentity {
            ClientIdentity(clientIdentifier: clientIdentifier, userName: userName)
        }
    }

    private let access = EchoAccess()

    private func node() throws -> Node {
        let node = try Node(starts: false)
        node.access = access
        try node.start()
        return node
    }

    private func connect(_ client: TestClient, _ name: String = "adam", method: String = "echo") {
        client.send(
            Connect(
                clientIdentifier: [0x61], keepAlive: 0, authenticationMethod: method,
                authenticationData: Array(name.utf8)
            ).encode())
    }

    private func auth(_ reason: ReasonCode, _ data: String, method: String = "echo") -> [UInt8] {
        Auth(reason: reason, authenticationMethod: method, authenticationData: Array(data.utf8)).encode()
    }

    private func connected(_ node: Node) throws -> TestClient {
        let client = try node.open()
        connect(client)
        node.run()
        client.send(auth(.continueAuthentication, "me"))
        #expect(client.takeAuth()?.reason == .continueAuthentication)
        client.takeConnack()
        #expect(client.connack?.reason == .success)
        return client
    }

    @Test func itTakesTwoStepsAndCONNACKHasTheMethod() throws {
        let node = try node()
        let client = try node.open()
        connect(client)
        node.run()
        let challenge = client.takeAuth()
        #expect(challenge?.authenticationMethod == "echo")
        #expect(challenge?.authenticationData == Array("who?".utf8))
        #expect(node.broker.sessions.isEmpty)

        client.send(auth(.continueAuthentication, "me"))
        node.run()

        client.takeConnack()
        #expect(client.connack?.reason == .success)
        #expect(client.connack?.authenticationMethod == "echo")
        #expect(client.connack?.authenticationData == Array("welcome".utf8))
        #expect(node.broker.sessions[[0x61]]?.userName == Array("adam".utf8))
        client.publish("t", "x", .atLeastOnce)
        #expect(client.takeAcknowledgements().count == 1)
    }

    @Test func aFailureIsCONNACKAndAClose() throws {
        let node = try node()
        let client = try node.open()
        connect(client)
        node.run()
        _ = client.takeAuth()
        client.send(auth(.continueAuthentication, "somebody"))
        node.run()

        client.takeConnack()
        #expect(client.connack?.reason == .notAuthorized)
        #expect(client.isClosed)
        #expect(node.broker.figures.authenticationFailures == 1)
        #expect(node.lines.contains { $0.contains("it is not") })
    }

    @Test func aMethodThatIsNotKnown() throws {
        let node = try node()
        let client = try node.open()
        connect(client, method: "other")
        node.run()
        client.takeConnack()
        #expect(client.connack?.reason == .badAuthenticationMethod)
        #expect(client.isClosed)
    }

    @Test(arguments: [
        (Ping.request, ReasonCode.protocolError), ([0xF0, 0], .protocolError), ([0xF1, 0], .malformedPacket),
        (Auth(reason: .reAuthenticate, authenticationMethod: "echo").encode(), .protocolError),
        (Auth(reason: .continueAuthentication, authenticationMethod: "other").encode(), .badAuthenticationMethod),
    ])
    func whatElseComesBeforeCONNACK(packet: [UInt8], reason: ReasonCode) throws {
        let node = try node()
        let client = try node.open()
        connect(client)
        node.run()
        _ = client.takeAuth()
        client.send(packet)
        node.run()

        client.takeConnack()
        #expect(client.connack?.reason == reason)
        #expect(client.isClosed)
    }

    @Test func itMayLeave() throws {
        let node = try node()
        let client = try node.open()
        connect(client)
        node.run()
        _ = client.takeAuth()
        client.send(Disconnect(reason: .normalDisconnection).encode(version: .v5))
        #expect(client.take() == [])
        #expect(client.isClosed)
        #expect(node.broker.connectionCount == 0)
    }

    @Test func whoAnswersNothingIsClosedInTime() throws {
        let node = try node()
        let client = try node.open()
        connect(client)
        node.run()
        node.advance(by: .seconds(9))
        #expect(!client.isClosed)
        node.advance(by: .seconds(2))
        #expect(client.isClosed)
    }

    @Test func whatComesWhileItIsDecidedWaits() throws {
        access.isSlow = true
        let node = try node()
        let client = try node.open()
        connect(client)
        node.run()
        _ = client.takeAuth()
        client.send(auth(.continueAuthentication, "me"))
        client.send(Ping.request)
        node.run()
        #expect(client.take() == [])
        access.waiting?()
        node.run()
        client.takeConnack()
        #expect(client.connack?.reason == .success)
        #expect(client.take() == [.pingresp])
    }

    @Test func aStopMeanwhileIsTold() throws {
        let node = try node()
        let client = try node.open()
        connect(client)
        node.run()
        _ = client.takeAuth()
        node.broker.shutDown()
        node.run()
        client.takeConnack()
        #expect(client.connack?.reason == .serverUnavailable)
    }

    // MARK: Once more

    @Test func aClientShowsAgainWhoItIs() throws {
        let node = try node()
        let client = try connected(node)
        access.validUntil = node.broker.wallTime + 30_000
        client.send(auth(.reAuthenticate, "adam"))
        node.run()
        #expect(client.takeAuth()?.reason == .continueAuthentication)
        // What else it does goes on meanwhile.
        client.publish("t", "x", .atLeastOnce)
        #expect(client.takeAcknowledgements().count == 1)
        client.send(auth(.continueAuthentication, "me"))
        node.run()

        let done = client.takeAuth()
        #expect(done?.reason == .success)
        #expect(done?.authenticationMethod == "echo")
        #expect(done?.authenticationData == Array("welcome".utf8))
        #expect(access.admitted == 2)
        // The new login's end counts.
        node.advance(by: .seconds(31))
        #expect(client.isClosed)
    }

    @Test func itsFailureEndsTheConnection() throws {
        let node = try node()
        let client = try connected(node)
        client.send(auth(.reAuthenticate, "adam"))
        node.run()
        _ = client.takeAuth()
        client.send(auth(.continueAuthentication, "somebody"))
        #expect(client.take() == [.disconnect(.notAuthorized)])
        #expect(client.isClosed)
        #expect(node.broker.figures.authenticationFailures == 1)
    }

    @Test func asAnotherUserItMayNot() throws {
        let node = try node()
        let client = try connected(node)
        client.send(auth(.reAuthenticate, "eve"))
        node.run()
        _ = client.takeAuth()
        client.send(auth(.continueAuthentication, "me"))
        #expect(client.take() == [.disconnect(.notAuthorized)])
        #expect(node.lines.contains { $0.contains("another user, eve") })
    }

    @Test func whatIsOutOfPlaceEndsTheConnection() throws {
        let node = try node()
        for (packets, reason) in [
            ([auth(.continueAuthentication, "me")], ReasonCode.protocolError),
            ([auth(.reAuthenticate, "adam"), auth(.reAuthenticate, "adam")], .protocolError),
            ([auth(.reAuthenticate, "adam", method: "other")], .badAuthenticationMethod),
            ([[0xF0, 0]], .protocolError),
        ] {
            let client = try connected(node)
            for packet in packets { client.send(packet) }
            #expect(client.take().last == .disconnect(reason))
            #expect(client.isClosed)
        }
        let plain = try node.client("plain")
        plain.send(auth(.reAuthenticate, "adam"))
        #expect(plain.take() == [.disconnect(.protocolError)])
    }

    @Test func anAnswerThatComesTooLateFindsNobody() throws {
        access.isSlow = true
        let node = try node()
        let client = try node.open()
        connect(client)
        node.run()
        client.send(auth(.continueAuthentication, "me"))
        node.run()
        client.drop()
        access.waiting?()
        node.run()
        #expect(node.broker.sessions.isEmpty)
        #expect(node.broker.connectionCount == 0)
    }
}
