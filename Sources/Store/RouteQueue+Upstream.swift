import EventLoop
import MQTT

/// Somebody who waits for the far end to have a message.
struct UpstreamWait {
    let waiter: any SafetyWaiter
    let ticket: UInt64
    /// It has been sent, perhaps on a connection that is gone: the far end may have it.
    var wasSent = false
}

/// `ack = "upstream"`: publishers wait for the far end, `ack_timeout` at most. When that is over, or the link goes down, what
/// was never sent is withdrawn, and its publisher told that it wasn't taken; what was sent stays the node's and goes again, and
/// only the time tells its publisher that nothing is known of it.
extension RouteQueue {
    /// Publishers wait for this route's far end.
    public var acknowledgesUpstream: Bool { policy.upstreamTimeout != nil }

    /// The waiter is told of the message that was appended last: `success` once the far end has it, or why it will not, or
    /// may not, get it.
    public func awaitUpstream(_ waiter: any SafetyWaiter, ticket: UInt64) {
        guard let timeout = policy.upstreamTimeout else { return }
        let number = current.stream.next - 1
        waits[number] = UpstreamWait(waiter: waiter, ticket: ticket)
        waitDeadlines.append((log.loop.now + timeout, number))
        if waitTimer == nil { armWaitTimer() }
    }

    func answerWaits(_ numbers: ClosedRange<UInt64>, _ reason: ReasonCode) {
        guard !waits.isEmpty else { return }
        if numbers.upperBound - numbers.lowerBound < UInt64(waits.count) {
            for number in numbers { answer(number, reason) }
        } else {
            for number in waits.keys.filter(numbers.contains).sorted() { answer(number, reason) }
        }
    }

    /// The node has lost these, or drops them. What was sent the far end may acknowledge all the same; else the time tells
    /// that nothing is known of it.
    func answerLostWaits(_ numbers: ClosedRange<UInt64>) {
        for number in waits.filter({ numbers.contains($0.key) && !$0.value.wasSent }).keys.sorted() {
            answerLost(number)
        }
    }

    private func answer(_ number: UInt64, _ reason: ReasonCode) {
        guard let wait = waits.removeValue(forKey: number) else { return }
        wait.waiter.messageIsSettled(ticket: wait.ticket, reason: reason)
    }

    /// The link is down: who waits for a message that was never sent shall not wait longer.
    func withdrawUnsent() {
        for number in waits.filter({ !$0.value.wasSent }).keys.sorted() { withdraw(number) }
    }

    private func withdraw(_ number: UInt64) {
        let now = log.clock.now
        lose(current, number...number, .withdrawn, from: now, to: now)
    }

    /// What may be on disk would be there again after a power loss, and be sent: its publisher hears of it once the disk has
    /// forgotten it. Where the disk doesn't take that, nothing is known of the message.
    private func answerLost(_ number: UInt64) {
        guard let wait = waits.removeValue(forKey: number) else { return }
        withdrawn[number] = wait
        guard number < current.stream.submittedBelow else { return answerWithdrawn(number, .quotaExceeded) }
        guard log.failure == nil else { return answerWithdrawn(number, .implementationSpecificError) }
        log.commitPutOff { [weak self] in self?.answerWithdrawn(number, .quotaExceeded) }
        log.loop.schedule(after: policy.upstreamTimeout ?? .seconds(30)) { [weak self] in
            self?.answerWithdrawn(number, .implementationSpecificError)
        }
    }

    private func answerWithdrawn(_ number: UInt64, _ reason: ReasonCode) {
        guard let wait = withdrawn.removeValue(forKey: number) else { return }
        wait.waiter.messageIsSettled(ticket: wait.ticket, reason: reason)
    }

    private func armWaitTimer() {
        guard let first = waitDeadlines.first else { return }
        waitTimer = log.loop.schedule(after: max(first.deadline - log.loop.now, .milliseconds(1))) { [weak self] in
            guard let self else { return }
            waitTimer = nil
            endWaits()
        }
    }

    private func endWaits() {
        while let first = waitDeadlines.first, first.deadline <= log.loop.now || waits[first.number] == nil {
            waitDeadlines.removeFirst()
            guard let wait = waits[first.number] else { continue }
            if wait.wasSent { answer(first.number, .implementationSpecificError) } else { withdraw(first.number) }
        }
        armWaitTimer()
    }
}
