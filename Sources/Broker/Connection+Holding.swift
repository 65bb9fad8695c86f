import EventLoop
import MQTT

/// PUBLISH packets that wait: for a store that can't take them, or for the client's own rate.
extension Connection {
    /// What the first of them waits for.
    enum HoldCause { case store, pace }

    func hold(_ packet: RawPacket, _ cause: HoldCause) throws(MQTTError) -> Bool {
        let qos = (packet.flags >> 1) & 3
        let held = held ?? HeldPublishes()
        self.held = held
        if held.isFull || qos == 0 && waitsTooLong(held) {
            // What sets a Topic Alias, or needs one, keeps its place: those behind it may need it too.
            guard qos == 0, !hasTopicAlias(packet) else {
                if listener.isInternal { return try holdOfOwn(packet, held) }
                stream.pauseReading()
                return false
            }
            broker.drop(packet, from: self)
            return true
        }
        if held.isEmpty { begins(toWaitFor: cause) }
        if heldFor == .pace { broker.figures.publishesOverRate += 1 }
        keep(packet, in: held)
        return true
    }

    private func keep(_ packet: RawPacket, in held: HeldPublishes) {
        let start = packet.body.baseAddress.map { $0 - (packet.length - packet.body.count) }
        held.append(UnsafeRawBufferPointer(start: start, count: packet.length), now: broker.loop.now)
    }

    /// A part of this node is read on, since what it acknowledges may be what makes room: what it sends waits up to twice the
    /// usual number of messages it may have open, or bytes. Beyond that its connection ends, and it sends again what it was not
    /// acknowledged.
    private func holdOfOwn(_ packet: RawPacket, _ held: HeldPublishes) throws(MQTTError) -> Bool {
        guard held.count < 2 * Int(limits.inflight), held.byteCount < HeldPublishes.mostOfOwn else {
            throw MQTTError(.quotaExceeded, "too much of it waits for the store, unacknowledged", version: version)
        }
        keep(packet, in: held)
        return true
    }

    private func waitsTooLong(_ held: HeldPublishes) -> Bool { pace.map { held.count >= $0.mostWaiting } ?? false }

    private func begins(toWaitFor cause: HoldCause) {
        heldFor = cause
        guard cause == .pace, let pace else { return broker.waits(self) }
        if pace.isNews(at: broker.loop.now) {
            broker.logLine(
                .notice, "\(name): more than \(pace.perSecond) messages a second; they wait (limits.publish_rate)")
        }
        pace.wait(on: broker.loop) { [unowned self] in replayHeld() }
    }

    private func hasTopicAlias(_ packet: RawPacket) -> Bool {
        guard version == .v5, let publish = try? PublishView(packet, version: version) else { return false }
        return publish.topicAlias != 0
    }

    /// What it waited for may be there: what waits goes first. What it waits for still, it goes on waiting for.
    func replayHeld() {
        guard let held else { return }
        var failure: MQTTError?
        var cause: HoldCause?
        held.replay(now: broker.loop.now) { bytes in
            do throws(MQTTError) {
                guard state == .accepted, let packet = try readFrame(bytes, maximum: bytes.count, version: version)
                else { return 0 }
                guard !broker.mustWait(packet, from: self) else {
                    cause = .store
                    return 0
                }
                guard pace?.take(at: broker.loop.now) ?? true else {
                    cause = .pace
                    return 0
                }
                try take(packet)
                return packet.length
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { fail(failure) }
        guard state == .accepted else { return drop(held) }
        if let cause { begins(toWaitFor: cause) }
        if !held.isFull { stream.resumeReading() }
    }

    /// The client leaves in order: what it has sent at QoS 0, and only its rate kept back, is not lost for that. The rest
    /// was never acknowledged, and comes again.
    func takeHeldBeforeLeaving() {
        guard let held, !held.isEmpty, heldFor == .pace else { return }
        held.replay(now: broker.loop.now) { bytes in
            guard let packet = try? readFrame(bytes, maximum: bytes.count, version: version) else { return bytes.count }
            guard (packet.flags >> 1) & 3 == 0 else { return packet.length }
            if broker.mustWait(packet, from: self) {
                broker.drop(packet, from: self)
            } else {
                try? take(packet)
            }
            return packet.length
        }
    }

    /// The connection is over.
    func dropHeld() {
        if let held { drop(held) }
        held = nil
    }

    /// QoS 0 is lost, and counted; the rest was never acknowledged, and the client has it still.
    private func drop(_ held: HeldPublishes) {
        held.replay(now: broker.loop.now) { bytes in
            guard let packet = try? readFrame(bytes, maximum: bytes.count, version: version) else { return bytes.count }
            if (packet.flags >> 1) & 3 == 0 { broker.drop(packet, from: self) }
            return packet.length
        }
    }
}
