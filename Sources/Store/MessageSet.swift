/// The sessions that one message of a mixed stream is for. One object for all messages that go to the same.
public final class MessageSet: Sendable {
    /// Each session once, ascending.
    public let members: [StreamMember]

    init(_ members: [StreamMember]) { self.members = members }

    /// nil: the message is not for this session.
    func member(_ session: SessionID) -> StreamMember? {
        var low = 0
        var high = members.count
        while low < high {
            let middle = (low + high) / 2
            if members[middle].session.rawValue < session.rawValue { low = middle + 1 } else { high = middle }
        }
        return low < members.count && members[low].session == session ? members[low] : nil
    }
}
