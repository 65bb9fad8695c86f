/// Where identifiers go on: above all that any row still names, or what belonged to one that is gone would be another's.
extension StoredState {
    var highestStream: Int64 {
        let named = (sessions.flatMap(\.outbound) + shares.flatMap(\.outbound)).map(\.stream.rawValue)
        return max(streams.map(\.record.id.rawValue).max() ?? 0, named.max() ?? 0, highestRemovedStream)
    }

    /// A stream remembers the members it was made for, also those that have left.
    var highestSession: Int64 {
        var highest = (sessions.map(\.record.id.rawValue) + shares.map(\.record.id.rawValue)).max() ?? 0
        for stream in streams {
            highest = max(highest, stream.mixed?.highestSession ?? 0)
            guard case .sessions(let members) = stream.record.kind else { continue }
            for member in members { highest = max(highest, member.session.rawValue) }
        }
        return highest
    }
}
