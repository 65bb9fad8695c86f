import Store

extension Broker {
    /// Says once an episode that messages leave the log undelivered, and whose they are.
    func messagesLeft(_ stream: StreamRecord, _ removal: Removal) {
        if removal.reason == .evicted, case .route(let name) = stream.kind,
            routes.contains(where: { $0.queue.name == name && $0.queue.evictsForItself() })
        {
            // The route says so itself.
            return
        }
        let whose: String
        switch stream.kind {
        case .route(let name): whose = "route \(name)"
        case .mixed: whose = "sessions"
        case .sessions(let members): whose = members.count == 1 ? "a session" : "\(members.count) sessions"
        }
        guard removals["\(removal.reason.rawValue) \(whose)", default: Episode()].begins(at: loop.now) else { return }
        let why: String
        switch removal.reason {
        case .evicted: why = "evicted, since the log is at its budget"
        case .expired: why = "expired, being older than their ttl"
        case .unstored: return
        case .corrupt: why = "damaged on disk, and set aside"
        }
        logLine(.warning, "messages of \(whose) are \(why); roost status says how many")
    }
}
