import EventLoop
import MQTT

extension SessionQueue {
    /// One session's place in one stream.
    public final class Membership {
        public let stream: LogStream
        let member: StreamMember
        public unowned let queue: SessionQueue
        /// Everything to here is finished.
        var cursor: UInt64
        var finished = IntervalSet()
        /// The number to be read next.
        var nextToRead: UInt64
        /// In a mixed stream, which of its messages the session waits for: the others are not its own.
        var own: OwnNumbers?
        /// Numbers that an earlier run sent, and that reading passes over.
        private(set) var inFlight: Set<UInt64> = []
        /// The lane sequence of the message at `nextToRead`, once it was read.
        var head: (number: UInt64, sequence: UInt64)?
        var isDirty = false
        var isJoined = true
        /// In the stream's members.
        var place = 0

        init(
            stream: LogStream, member: StreamMember, queue: SessionQueue, position: Position, own: [UInt64]? = nil
        ) {
            self.stream = stream
            self.member = member
            self.queue = queue
            self.own = own.map { OwnNumbers($0, at: stream.lastAppend) }
            cursor = position.cursor
            finished = IntervalSet(position.finished)
            nextToRead = position.cursor + 1
        }

        var position: Position { Position(cursor: cursor, finished: finished.intervals) }

        /// What the subscription said when this message was routed.
        public func member(of message: Message) -> StreamMember {
            own == nil ? member : message.set?.member(queue.session) ?? member
        }

        /// Messages that are neither finished nor lost.
        var waiting: UInt64 {
            if let own { return UInt64(own.numbers.count) }
            let first = max(cursor + 1, stream.first)
            return stream.next > first ? stream.next - first - min(finished.count, stream.next - first) : 0
        }

        var averageBytes: Int { own?.averageBytes ?? stream.averageBytes }
        var lastAppend: Instant { own?.lastAppend ?? stream.lastAppend }

        /// The last number that the session got here.
        var newest: UInt64 { own.map { $0.numbers.last ?? 0 } ?? stream.next - 1 }

        /// The first number that waits and was not sent; where all were sent, the first that waits.
        var oldest: UInt64 {
            if let own { return own.first(from: nextToRead, except: inFlight) ?? own.numbers.first ?? stream.next }
            let first = max(cursor + 1, stream.first)
            var number = unfinished(from: max(nextToRead, first))
            while number < stream.next, inFlight.contains(number) { number = unfinished(from: number + 1) }
            return number < stream.next ? number : unfinished(from: first)
        }

        /// What the session loses first: what was sent comes last, since the client may be about to acknowledge it. But from
        /// a client that has let several times the session's limit come and go without an acknowledgement it is taken as well,
        /// for everything behind it stays on disk as long as it does. In a mixed stream nothing does.
        var firstToLose: UInt64 {
            guard own == nil else { return oldest }
            let first = max(cursor + 1, stream.first)
            let span = Int(stream.next - min(first, stream.next))
            guard span > 4 * queue.maximumMessages || span * stream.averageBytes > 4 * queue.maximumBytes else {
                return oldest
            }
            return unfinished(from: first)
        }

        private func unfinished(from number: UInt64) -> UInt64 {
            finished.end(containing: number).map { $0 + 1 } ?? number
        }

        /// Moves to the next number to be read; nil: there is none.
        func findNextToRead() -> UInt64? {
            if let own {
                guard let number = own.first(from: nextToRead, except: inFlight) else { return nil }
                nextToRead = number
                return number
            }
            // What the limits took may still be readable.
            nextToRead = max(nextToRead, cursor + 1)
            while finished.contains(nextToRead) || inFlight.contains(nextToRead) { nextToRead += 1 }
            return nextToRead
        }

        /// The message with this number is the next that the session reads here.
        public func isNext(_ number: UInt64) -> Bool {
            guard let own else { return nextToRead == number }
            return own.first(from: nextToRead, except: inFlight) == number
        }

        /// The message with this number was sent in an earlier run: it is resent under its identifier, not read again.
        public func isInFlight(_ number: UInt64) { inFlight.insert(number) }

        func finish(_ number: UInt64) {
            guard own == nil else { return finishOwn(number...number) }
            guard number > cursor, !finished.contains(number) else { return }
            if number == cursor + 1 {
                cursor = number
                if let end = finished.takePrefix(after: cursor) { cursor = end }
            } else {
                finished.insert(number)
            }
            stream.pass(number)
            if stream.isOnDisk { stream.log.positionChanged(self) }
        }

        /// Finishes everything from the reading position to below `next`: there is nothing to be read. What was taken
        /// before and isn't finished stays so.
        func skip(to next: UInt64) {
            let last = min(next, stream.next) - 1
            let first = max(nextToRead, cursor + 1)
            nextToRead = max(nextToRead, last + 1)
            guard first <= last else { return }
            guard own == nil else { return finishOwn(first...last) }
            if last >= stream.tailFirst {
                for number in max(first, stream.tailFirst)...last where !finished.contains(number) {
                    stream.pass(number)
                }
            }
            finished.insert(first...last)
            if let end = finished.takePrefix(after: cursor) { cursor = end }
            if stream.isOnDisk { stream.log.positionChanged(self) }
        }

        /// Finishes what was neither taken nor is in flight.
        func finishUnread() {
            guard !inFlight.isEmpty else { return skip(to: stream.next) }
            while let number = findNextToRead(), number < stream.next {
                nextToRead = number + 1
                finish(number)
            }
        }

        /// The session leaves: nothing of it holds up the stream any more.
        func passAll() {
            guard own == nil else { return passOwn() }
            // Only what is in memory counts its destinations.
            var number = max(cursor + 1, stream.tailFirst)
            while number < stream.next {
                if !finished.contains(number) { stream.pass(number) }
                number += 1
            }
        }

        /// Messages at or above `number` are finished: without a position on disk they would come again.
        func hasPassed(beyond number: UInt64) -> Bool { cursor >= number || !finished.isEmpty }

        func removed(_ first: UInt64, through last: UInt64, because reason: Removal.Reason) {
            guard own == nil else { return removedOwn(first...max(first, last), because: reason) }
            guard last > cursor, first <= last else { return }
            if reason == .evicted || reason == .corrupt { queue.lost += last - max(first, cursor + 1) + 1 }
            if first <= cursor + 1 {
                cursor = last
                finished.remove(through: last)
                if let end = finished.takePrefix(after: cursor) { cursor = end }
            }
            nextToRead = max(nextToRead, cursor + 1)
        }
    }
}
