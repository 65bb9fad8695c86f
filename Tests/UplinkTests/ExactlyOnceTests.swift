import EventLoop
import MQTT
import Store
import Testing

@testable import Uplink

/// QoS 2 upwards over sudden ends of the node, at each step: what was taken is never sent anew, what wasn't is.
@Suite struct ExactlyOnceTests {
    private let folder = Folder()
    private let clock = VirtualClock()
    private let upstream = CountingUpstream()

    private func life(_ change: (inout UplinkOptions) -> Void = { _ in }) throws -> NodeLife {
        try NodeLife(folder.path, clock: clock, upstream: upstream, change)
    }

    /// A node with messages on its disk, about to connect.
    private func stored(_ payloads: String..., in session: Bool = true) throws -> NodeLife {
        if session { upstream.session = [] }
        let life = try life()
        // The Session is known from a connection before: or its identifiers would all be cleared first.
        if session {
            life.connect()
            life.uplink.pause()
            life.settle()
            _ = upstream.take()
        }
        for payload in payloads { life.publish(payload) }
        life.settle()
        return life
    }

    /// The next life, without faults, to its end.
    private func finish(_ life: NodeLife) throws -> NodeLife {
        life.kill()
        upstream.losesInbound = []
        upstream.losesOutbound = []
        _ = upstream.take()
        let next = try self.life()
        next.connect()
        return next
    }

    @Test func messagesGoAtQoS2InOrder() throws {
        let life = try stored()
        for number in 1...500 { life.publish("\(number)") }
        life.uplink.resume()
        life.settle()

        #expect(upstream.delivered == (1...500).map { "\($0)" })
        #expect(upstream.lines.count == 1000, "one PUBLISH and one PUBREL each")
        #expect(!upstream.lines.contains { $0.hasSuffix("DUP") || $0.hasPrefix("at QoS") })
        #expect(life.queue.messages == 0)
        #expect(upstream.session == [])
        #expect(life.uplink.figures.acknowledgedMessages == 500)
    }

    @Test func oneCommitServesAWindow() throws {
        upstream.connack.receiveMaximum = 20
        let life = try stored()
        for number in 1...400 { life.publish("\(number)") }
        life.settle()
        let before = life.log.submittedGroups
        life.uplink.resume()
        life.settle()

        #expect(upstream.delivered.count == 400)
        let commits = life.log.submittedGroups - before
        #expect(commits <= 50, "\(commits) commits for 400 messages, 20 at a time")
    }

    @Test func killedBeforeTheBindingIsCommitted() throws {
        let life = try stored("a")
        life.store.hold = true
        life.uplink.resume()
        for _ in 0..<20 { life.turn(writes: false) }
        #expect(upstream.lines == [], "PUBLISH waits for the commit")

        let next = try finish(life)

        #expect(upstream.lines == ["PUBLISH 1 a", "PUBREL 1"])
        #expect(upstream.delivered == ["a"])
        #expect(next.queue.messages == 0)
    }

    @Test func killedBeforePublishIsSent() throws {
        let life = try stored("a", "b")
        life.store.hold = true
        life.uplink.resume()
        for _ in 0..<20 { life.turn(writes: false) }
        life.commitUnheard()

        let next = try finish(life)

        #expect(upstream.lines == ["PUBLISH 1 a DUP", "PUBLISH 2 b DUP", "PUBREL 1", "PUBREL 2"])
        #expect(upstream.delivered == ["a", "b"])
        #expect(next.queue.messages == 0)
    }

    @Test(arguments: [true, false])
    func killedAfterPublishBeforePubrec(hasArrived: Bool) throws {
        let life = try stored("a", "b")
        if hasArrived { upstream.losesOutbound = [.pubrec] } else { upstream.losesInbound = [.publish] }
        life.uplink.resume()
        life.settle()
        #expect(upstream.delivered == (hasArrived ? ["a", "b"] : []))

        let next = try finish(life)

        #expect(upstream.lines == ["PUBLISH 1 a DUP", "PUBLISH 2 b DUP", "PUBREL 1", "PUBREL 2"])
        #expect(upstream.delivered == ["a", "b"])
        #expect(next.queue.messages == 0)
        #expect(next.notices == [])
    }

    @Test(arguments: [true, false])
    func killedAfterPubrecBeforePubrel(isCommitted: Bool) throws {
        let life = try stored("a")
        upstream.losesOutbound = [.pubrec]
        life.uplink.resume()
        life.settle()
        life.store.hold = true
        upstream.stream?.write(Acknowledgement(.pubrec, packetIdentifier: 1).encode(version: .v5))
        for _ in 0..<20 { life.turn(writes: false) }
        #expect(upstream.lines == ["PUBLISH 1 a"], "PUBREL waits for the commit")
        if isCommitted { life.commitUnheard() }

        let next = try finish(life)

        #expect(upstream.lines == (isCommitted ? ["PUBREL 1"] : ["PUBLISH 1 a DUP", "PUBREL 1"]))
        #expect(upstream.delivered == ["a"])
        #expect(next.queue.messages == 0)
    }

    @Test(arguments: [true, false])
    func killedAfterPubrelBeforePubcomp(hasArrived: Bool) throws {
        let life = try stored("a", "b")
        if hasArrived { upstream.losesOutbound = [.pubcomp] } else { upstream.losesInbound = [.pubrel] }
        life.uplink.resume()
        life.settle()
        #expect(life.queue.messages == 2)

        let next = try finish(life)
        next.publish("c")
        next.settle()

        #expect(upstream.lines == ["PUBREL 1", "PUBREL 2", "PUBLISH 1 c", "PUBREL 1"])
        #expect(upstream.delivered == ["a", "b", "c"])
        #expect(next.queue.messages == 0)
    }

    @Test func killedAfterPubcompBeforeThatIsWritten() throws {
        let life = try stored("a")
        life.uplink.resume()
        life.settle()
        #expect(life.queue.messages == 0)

        let next = try finish(life)

        #expect(!upstream.lines.contains { $0.hasPrefix("PUBLISH") })
        #expect(upstream.delivered == ["a"])
        #expect(next.queue.messages == 0)
    }

    @Test func aLostSessionHasTheUnfinishedSentAgainAndToldOf() throws {
        let life = try stored("a", "b", "c")
        upstream.losesOutbound = [.pubcomp]
        upstream.answer = { $0 == "c" ? .quotaExceeded : .success }
        life.uplink.resume()
        life.settle()
        life.kill()
        upstream.session = nil
        upstream.answer = { _ in .success }

        let next = try finish(life)

        #expect(upstream.delivered == ["a", "b", "a", "b", "c"])
        #expect(!upstream.lines.contains { $0.hasSuffix("DUP") }, "the new session knows none of them")
        #expect(next.notices.filter { $0.contains("lost our session: 2 messages") }.count == 1, "\(next.notices)")
        #expect(next.queue.messages == 0)
        let third = try finish(next)
        #expect(upstream.delivered.count == 5)
        #expect(third.notices == [])
    }

    /// The state directory is gone, or another address is connected: a message under an identifier that the Server has
    /// something under would be taken for a copy, and lost.
    @Test func aSessionThatNothingIsKnownOfIsClearedBeforeItIsUsed() throws {
        upstream.session = [1, 2, 200]
        let life = try stored("a", "b", in: false)
        life.connect()

        #expect(upstream.delivered == ["a", "b"])
        let identifiers = upstream.lines.filter { $0.hasPrefix("PUBREL") }.prefix(256)
        #expect(Set(identifiers) == Set((1...256).map { "PUBREL \($0)" }))
        #expect(upstream.session == [])
        let next = try finish(life)
        #expect(upstream.lines.count <= 2, "known from now on")
        #expect(next.queue.messages == 0)
    }

    @Test func aKillWhileAnUnknownSessionIsClearedLeavesNothingUncleared() throws {
        upstream.session = [1, 2, 200]
        let life = try stored("a", "b", in: false)
        upstream.losesInbound = [.pubrel]
        life.connect()
        #expect(upstream.delivered == [])

        let next = try finish(life)

        #expect(upstream.delivered == ["a", "b"])
        #expect(next.queue.messages == 0)
    }

    @Test func anotherAddressIsAnotherSession() throws {
        let life = try stored("a")
        upstream.losesOutbound = [.pubrec]
        life.uplink.resume()
        life.settle()
        life.kill()
        upstream.losesOutbound = []
        _ = upstream.take()

        let next = try self.life { $0.urls = ["mqtt://cloud:1883"] }
        next.connect()

        #expect(upstream.lines.contains("PUBREL 1"))
        #expect(next.notices.contains { $0.contains("lost our session: 1 messages") })
        #expect(upstream.delivered == ["a", "a"], "at least once")
        #expect(next.queue.messages == 0)
    }

    @Test func aBrokenConnectionDoublesNothing() throws {
        let life = try stored("a", "b", "c")
        upstream.losesOutbound = [.pubrec]
        life.uplink.resume()
        life.settle()
        upstream.losesOutbound = []
        upstream.stream?.close()
        life.pass(.seconds(3))

        #expect(upstream.delivered == ["a", "b", "c"])
        #expect(life.queue.messages == 0)
        #expect(upstream.lines.filter { $0.hasSuffix("DUP") }.count == 3)
    }

    @Test func aMessageThatExpiredSinceItWasSentGivesItsIdentifierBack() throws {
        let life = try stored()
        life.publish("a", expiry: 5)
        life.publish("b")
        upstream.losesInbound = [.publish]
        life.uplink.resume()
        life.settle()
        life.kill()
        clock.advance(by: .seconds(10))

        let next = try finish(life)

        #expect(upstream.delivered == ["b"])
        #expect(upstream.lines.sorted() == ["PUBLISH 2 b DUP", "PUBREL 1", "PUBREL 2"])
        #expect(next.queue.messages == 0)
    }

    @Test func aRefusedMessageIsSetAside() throws {
        upstream.answer = { $0 == "b" ? .payloadFormatInvalid : .success }
        let life = try stored("a", "b", "c")
        life.uplink.resume()
        life.settle()

        #expect(upstream.delivered == ["a", "c"])
        #expect(life.queue.refused == 1)
        #expect(life.queue.messages == 0)
        #expect(upstream.session == [])
    }

    @Test func whatIsRefusedForNowGoesAgainAndTheOthersDoNot() throws {
        var isFull = true
        upstream.answer = { $0 == "b" && isFull ? .quotaExceeded : .success }
        let life = try stored("a", "b", "c", "d")
        life.uplink.resume()
        life.settle()
        #expect(upstream.delivered == ["a", "c", "d"])
        #expect(life.uplink.holding(route: 0) != nil)
        isFull = false
        life.publish("e")
        life.pass(.seconds(5))

        #expect(upstream.delivered == ["a", "c", "d", "b", "e"])
        #expect(life.queue.messages == 0)
    }

    @Test func anIdentifierInUseIsClearedAndTheMessageGoesUnderAnother() throws {
        var isInUse = true
        upstream.answer = { _ in
            defer { isInUse = false }
            return isInUse ? .packetIdentifierInUse : .success
        }
        let life = try stored("a")
        life.uplink.resume()
        life.pass(.seconds(5))

        #expect(upstream.delivered == ["a"])
        #expect(upstream.lines.first == "PUBLISH 1 a")
        #expect(upstream.lines.contains("PUBREL 1"))
        #expect(life.queue.messages == 0)
    }

    @Test func aMessageThatTheUpstreamClosesAtIsSetAside() throws {
        upstream.closesAt = { $0 == "b" }
        let life = try stored("a", "b", "c")
        life.uplink.resume()
        life.pass(.seconds(60))

        #expect(upstream.delivered == ["a", "c"])
        #expect(life.queue.refused == 1)
        #expect(life.queue.messages == 0)
    }

    @Test func anUpstreamWithoutQoS2HoldsTheRoute() throws {
        upstream.connack.maximumQoS = .atLeastOnce
        let life = try stored("a")
        life.uplink.resume()
        life.settle()

        #expect(life.uplink.holding(route: 0) == "the upstream allows no QoS 2")
        #expect(upstream.lines == [])
        #expect(life.queue.messages == 1)
    }

    @Test func whatAnAdministratorDropsIsNotSent() throws {
        let life = try stored("a", "b")
        life.uplink.resume()
        life.store.hold = true
        for _ in 0..<20 { life.turn(writes: false) }
        life.queue.dropAll()
        life.store.hold = false
        life.settle()
        life.publish("c")
        life.settle()

        #expect(upstream.delivered == ["c"])
        #expect(life.queue.messages == 0)
    }

    /// A dead link or a SIGKILL at any packet and any step of the writer, again and again.
    @Test(arguments: 1...16 as ClosedRange<UInt64>)
    func chanceDoublesNothingAndLosesNothing(seed: UInt64) throws {
        var numbers = SplitMix64(state: seed)
        func below(_ count: UInt64) -> Int { Int(numbers.next() % count) }
        upstream.session = []
        upstream.connack.receiveMaximum = UInt16(1 + below(30))
        let total = 60
        let first = try life()
        for number in 1...total { first.publish("\(number)") }
        first.settle()
        #expect(first.safeMessages == total)
        first.kill()

        for _ in 0..<25 {
            let life = try life()
            life.uplink.start()
            upstream.budget = below(3) == 0 ? nil : below(700)
            for _ in 0..<below(300) { life.turn(writes: below(3) == 0) }
            if below(4) == 0 { life.commitUnheard() }
            life.kill()
        }
        upstream.budget = nil
        let last = try life()
        last.connect()
        last.pass(.seconds(5))

        #expect(upstream.delivered == (1...total).map { "\($0)" })
        #expect(last.queue.messages == 0)
        #expect(upstream.session == [])
    }

    /// As above, and the upstream forgets its Session now and then.
    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func lostSessionsLoseNothing(seed: UInt64) throws {
        var numbers = SplitMix64(state: seed)
        func below(_ count: UInt64) -> Int { Int(numbers.next() % count) }
        let total = 60
        let first = try life()
        for number in 1...total { first.publish("\(number)") }
        first.settle()
        first.kill()

        for _ in 0..<15 {
            if below(3) == 0 { upstream.session = nil }
            let life = try life()
            life.uplink.start()
            upstream.budget = below(3) == 0 ? nil : below(200)
            for _ in 0..<below(150) { life.turn(writes: below(3) == 0) }
            life.kill()
        }
        upstream.budget = nil
        let last = try life()
        last.connect()
        last.pass(.seconds(5))

        #expect(Set(upstream.delivered) == Set((1...total).map { "\($0)" }))
        #expect(last.queue.messages == 0)
    }
}
