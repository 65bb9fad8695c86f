/// The sessions that one message of a mixed stream is for. One object for all messages that go to the same.
public final class MessageSet: Sendable {
    /// Each session once, ascending.
    public let members: [StreamMember]

    init(_ members: [StreamMember]) { self.members = members }

    /// nil: the message is not for this session.
    func member(_ session: SessionID) -> StreamMember? {
        let index = members.partitioningIndex(where: { $0.session.rawValue >= session.rawValue })
        return index < members.count && members[index].session == session ? members[index] : nil
    }
}
