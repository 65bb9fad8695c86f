import MQTT
import Store

/// How the group's messages find a member.
extension ShareGroup {
    /// Something new waits.
    func wake() {
        isBehind = true
        if !isStuck { pump() }
    }

    /// Gives what waits to those that can take it, in the order of receipt.
    ///
    /// - Parameter member: who has room now; nil: anybody may.
    func pump(for member: Member? = nil) {
        guard !isPumping, !isEnded, !broker.isStopping else { return }
        isPumping = true
        isStuck = false
        if giveReturned(to: member) { while giveNext(to: member) {} }
        isPumping = false
        updateSettling()
    }

    /// False: wait.
    private func giveNext(to member: Member?) -> Bool {
        let message: Message
        var item: SessionQueue.Item?
        switch queue?.peek() ?? .empty {
        case .loading: return wait()
        case .item(let stored) where waiting.first.map { $0.laneSequence > stored.message.laneSequence } ?? true:
            item = stored
            message = stored.message
        case .item, .empty:
            guard let first = waiting.first else {
                isBehind = !returned.isEmpty
                return false
            }
            message = first
        }
        let choice = choose(for: message, member)
        if case .nobody = choice { return wait() }
        let delivery = take(item, message)
        switch choice {
        case .member(let chosen): give(delivery, message, to: chosen)
        case .later: giveBack(delivery)
        case .never, .nobody: finish(delivery)
        }
        return true
    }

    private func wait() -> Bool {
        isStuck = true
        return false
    }

    private func take(_ item: SessionQueue.Item?, _ message: Message) -> SharedDelivery {
        open += 1
        guard let item, let queue else {
            waiting.removeFirst()
            waitingBytes -= message.byteCount
            unacknowledgedBytes += message.byteCount
            return SharedDelivery(self, membership: nil, number: 0, message: message, sequence: message.laneSequence)
        }
        queue.take(item)
        return SharedDelivery(
            self, membership: item.membership, number: item.number, message: nil, sequence: message.laneSequence)
    }

    /// What was given before goes first. False: wait.
    private func giveReturned(to member: Member?) -> Bool {
        var index = 0
        while index < returned.count {
            let delivery = returned[index]
            switch read(delivery) {
            case .loading: return wait()
            case .end, .missing:
                returned.remove(at: index)
                delivery.isFree()
                finish(delivery)
            case .message(let message):
                let choice = choose(for: message, member)
                switch choice {
                case .nobody: return wait()
                case .later: index += 1
                case .never:
                    returned.remove(at: index)
                    delivery.isFree()
                    finish(delivery)
                case .member(let chosen):
                    returned.remove(at: index)
                    delivery.isFree()
                    give(delivery, message, to: chosen)
                }
            }
        }
        return true
    }

    private func read(_ delivery: SharedDelivery) -> LogStream.Reading {
        if let message = delivery.message { return .message(message) }
        guard let queue, let membership = delivery.membership else { return .end }
        return queue.reread(membership, delivery.number)
    }

    private func give(_ delivery: SharedDelivery, _ message: Message, to member: Member) {
        guard !message.isExpired(at: broker.log.clock.now) else {
            broker.figures.dropped += 1
            return finish(delivery)
        }
        member.session.take(delivery, message, member.subscription)
    }

    /// The delivery is over, or will never be.
    func finish(_ delivery: SharedDelivery) {
        open -= 1
        if let message = delivery.message { unacknowledgedBytes -= message.byteCount }
        if let membership = delivery.membership { queue?.finish(membership, delivery.number) }
        endIfDone()
    }

    /// The delivery is for whoever can take it next.
    func giveBack(_ delivery: SharedDelivery) {
        guard !members.isEmpty || delivery.holder != nil else { return finish(delivery) }
        let place = (returned.lastIndex { $0.sequence < delivery.sequence } ?? -1) + 1
        guard place == returned.count || returned[place] !== delivery else { return }
        returned.insert(delivery, at: place)
        isBehind = true
    }

    // MARK: Whose turn it is

    private enum Choice {
        case member(Member)
        /// Who might take it is away or busy, and others wait for what comes behind it.
        case later
        case nobody
        /// Nobody may have it, or it is too large for those that are there.
        case never
    }

    private enum Fitness {
        case fit
        /// It may have the message, once it is back or has room.
        case away, busy
        /// It could take the next one.
        case barred, tooLarge
        case excluded
    }

    /// Beyond so many set aside for members that are away, the others wait for these.
    private static let maximumReturned = 1024

    private func choose(for message: Message, _ member: Member?) -> Choice {
        guard unacknowledgedBytes == 0 || hasMemory else { return .nobody }
        if let member {
            switch fitness(of: member, message) {
            case .fit: return .member(member)
            case .busy, .away, .excluded: return .nobody
            case .barred, .tooLarge: break
            }
        }
        var isWanted = false
        var isAwaited = false
        var isTooLarge = false
        for step in 0..<members.count {
            let place = place(inTurn: step)
            switch fitness(of: members[place], message) {
            case .fit:
                turn = (place + 1) % members.count
                return .member(members[place])
            case .busy, .away: isWanted = true
            case .barred: isAwaited = true
            case .tooLarge: (isAwaited, isTooLarge) = (true, true)
            case .excluded: break
            }
        }
        guard isAwaited else { return .nobody }
        if isWanted { return returned.count < Self.maximumReturned ? .later : .nobody }
        if isTooLarge { broker.figures.dropped += 1 } else { broker.figures.withheld += 1 }
        return .never
    }

    /// Whose turn it is after so many others.
    private func place(inTurn step: Int) -> Int { (turn + step) % members.count }

    private func fitness(of member: Member, _ message: Message) -> Fitness {
        let session = member.session
        let mayReceive = session.mayReceive(message.topic)
        guard let connection = session.connection, connection.isAccepted else { return mayReceive ? .away : .excluded }
        let qos = min(message.qos, member.subscription.qos)
        guard session.hasRoomForShared(qos, connection, hasMark: hasMark) else { return mayReceive ? .busy : .excluded }
        guard mayReceive else { return .barred }
        return connection.canSend(message, qos: qos, member: member.subscription.member(qos)) ? .fit : .tooLarge
    }

    /// Messages that only memory has may be given to members: what these don't acknowledge is kept, and leaves room for what
    /// waits for others.
    private var hasMemory: Bool {
        unacknowledgedBytes < broker.limits.sessionBytes
            && broker.waitingMeter.bytes <= broker.log.options.memoryBytes / 2
    }

    // MARK: In memory

    /// Who gets the messages of a topic: one of us, if any may.
    func join(_ destinations: Destinations, of topic: UnsafeRawBufferPointer) {
        guard members.contains(where: { $0.session.mayReceive(topic) }) else { return }
        if isDurable { destinations.durableShares.append(self) } else { destinations.directShares.append(self) }
    }

    /// A message that doesn't go through the log.
    func offer(_ template: inout PublishTemplate, _ publish: PublishView, _ made: inout Message?) {
        guard publish.qos != .atMostOnce,
            members.contains(where: { $0.subscription.qos != .atMostOnce && $0.session.isConnected })
        else { return offerAtMostOnce(&template, publish) }
        let message = broker.message(publish, &made)
        message.charge(to: broker.waitingMeter)
        waiting.append(message)
        waitingBytes += message.byteCount
        wake()
        let limits = broker.limits
        while waiting.count > limits.sessionMessages || waitingBytes > limits.sessionBytes { loseWaiting() }
        broker.boundWaiting()
    }

    /// To the next that reads fast enough.
    private func offerAtMostOnce(_ template: inout PublishTemplate, _ publish: PublishView) {
        var slow: Session?
        for step in 0..<members.count {
            let place = place(inTurn: step)
            let (session, subscription) = (members[place].session, members[place].subscription)
            guard let connection = session.connection, connection.isAccepted, session.mayReceive(publish.topic) else {
                continue
            }
            guard !connection.isOverflowing else {
                slow = session
                continue
            }
            let identifiers = subscription.identifier == 0 ? [] : [subscription.identifier]
            guard
                connection.send(
                    &template, publish, .atMostOnce, publish.retain && subscription.retainAsPublished, 0, identifiers)
            else { continue }
            turn = (place + 1) % members.count
            return
        }
        slow?.loseToSlowness()
    }

    func loseWaiting() {
        guard let lost = broker.limits.sessionFullLosesNewest ? waiting.popLast() : waiting.popFirst() else { return }
        waitingBytes -= lost.byteCount
        lostInMemory += 1
        if losses.begins(at: broker.loop.now) { noteLoss() }
    }
}
