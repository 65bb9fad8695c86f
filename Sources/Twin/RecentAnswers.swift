/// Answers given a moment ago, by device and `event_id`: who asks again, since the answer was lost, gets it again.
///
/// An `event_id` that comes with something else in it is another event: some devices always send the same.
struct RecentAnswers {
    private struct Key: Hashable {
        let device: [UInt8]
        let event: String
    }

    private var answers: [Key: (hash: UInt64, answer: [UInt8])] = [:]
    /// In the order in which they came; the oldest is at `next`, once there are as many as may be.
    private var order: [Key] = []
    private var next = 0
    private var bytes = 0
    private static let maximum = 4096
    private static let maximumBytes = 4 << 20
    static let maximumEvent = 256

    func find(_ device: [UInt8], _ event: String, hash: UInt64) -> [UInt8]? {
        guard !event.isEmpty, let known = answers[Key(device: device, event: event)], known.hash == hash else {
            return nil
        }
        return known.answer
    }

    mutating func note(_ device: [UInt8], _ event: String, hash: UInt64, _ answer: [UInt8]) {
        guard !event.isEmpty, event.utf8.count <= Self.maximumEvent else { return }
        if bytes + answer.count > Self.maximumBytes {
            answers = [:]
            order = []
            next = 0
            bytes = 0
        }
        let key = Key(device: device, event: event)
        if let old = answers.updateValue((hash, answer), forKey: key) {
            bytes += answer.count - old.answer.count
            return
        }
        bytes += answer.count
        guard order.count == Self.maximum else {
            order.append(key)
            return
        }
        if let gone = answers.removeValue(forKey: order[next]) { bytes -= gone.answer.count }
        order[next] = key
        next = (next + 1) % Self.maximum
    }
}
