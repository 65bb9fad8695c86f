import EventLoop
import Store

/// A route's PUBLISHes at QoS 2 that are not done, as they are to be known again after a sudden end: which Packet Identifier
/// each message has, and whether PUBREC came. It only says what may go when; `ExactlyOnceSender` sends.
///
/// An identifier is bound to its message, the binding is committed, then PUBLISH may go. PUBREC comes, that is committed, then
/// PUBREL may go. With PUBCOMP the identifier is free. One commit is under way at a time, and takes along all that came
/// meanwhile.
struct ExactlyOnceWindow {
    /// The few identifiers that are used. So a Session that something unknown was sent in can be cleared of all of it.
    static let identifiers: ClosedRange<UInt16> = 1...256

    /// A message of the route, in the order of sending.
    struct Place: Hashable, Comparable {
        var numbering: Numbering
        var number: UInt64

        static func < (left: Place, right: Place) -> Bool {
            (left.numbering.run, left.numbering.lane, left.number)
                < (right.numbering.run, right.numbering.lane, right.number)
        }
    }

    enum Phase: Equatable {
        /// To be published, on the present connection; from `isReady` on.
        case bound
        /// PUBREC is awaited.
        case published
        /// PUBREC came, or the Server is to forget the identifier: once that is committed, PUBREL goes.
        case received
        /// PUBCOMP is awaited.
        case released
    }

    struct Entry: Equatable {
        /// nil: none that has to come to its end.
        var place: Place?
        var phase: Phase
        /// It was published on an earlier connection, or may have been.
        var mayBeThere = false
        /// When PUBLISH went, on the present connection.
        var publishedAt: Instant?
        /// When PUBLISH or PUBREL went, on the present connection.
        var since: Instant?
        /// The commit that its binding is in.
        fileprivate var commit: UInt64 = 0
    }

    /// The Session at the upstream that this is about; empty: none yet.
    private(set) var session: String
    /// Identifiers by what is next, each in its order: of binding, of PUBREC, of PUBREL.
    private(set) var bound: [UInt16] = []
    private(set) var received: [UInt16] = []
    private(set) var released: [UInt16] = []
    private var entries: [Entry?]
    /// No message behind it was ever bound.
    private var highest: Place?
    private var isDirty = false
    private var lastBegun: UInt64 = 0
    private var lastEnded: UInt64 = 0
    /// How many of `received` are in the commit that is under way.
    private var receivedInCommit = 0

    init(_ record: ExactlyOnceRecord? = nil, numbering: (_ run: Int64, _ lane: UInt16) -> Numbering) {
        session = record?.session ?? ""
        entries = Array(repeating: nil, count: Int(Self.identifiers.upperBound) + 1)
        for stored in record?.entries ?? []
        where Self.identifiers.contains(stored.identifier) && self[stored.identifier] == nil {
            let place = stored.message.map { Place(numbering: numbering($0.run, $0.lane), number: $0.number) }
            guard stored.isReleased || place != nil else { continue }
            self[stored.identifier] = Entry(
                place: place, phase: stored.isReleased ? .released : .bound, mayBeThere: true)
            if stored.isReleased { released.append(stored.identifier) } else { bound.append(stored.identifier) }
            if let place { highest = max(highest ?? place, place) }
        }
    }

    private(set) subscript(identifier: UInt16) -> Entry? {
        get { Self.identifiers.contains(identifier) ? entries[Int(identifier)] : nil }
        set { entries[Int(identifier)] = newValue }
    }

    var isEmpty: Bool { bound.isEmpty && received.isEmpty && released.isEmpty }
    var hasPublished: Bool { bound.contains { self[$0]?.phase == .published } }
    /// Messages that the upstream has not accepted.
    var published: [(identifier: UInt16, place: Place)] {
        bound.compactMap { identifier in
            guard let entry = self[identifier], entry.phase == .published, let place = entry.place else { return nil }
            return (identifier, place)
        }
    }

    /// When the oldest PUBLISH or PUBREL went that the upstream has not answered.
    var oldestSent: Instant? {
        var oldest: Instant?
        func consider(_ identifier: UInt16?) {
            if let since = identifier.flatMap({ self[$0]?.since }) { oldest = min(oldest ?? since, since) }
        }
        consider(bound.first { self[$0]?.phase == .published })
        consider(released.first { self[$0]?.since != nil })
        return oldest
    }

    /// The identifier that the message has.
    func identifier(of place: Place) -> UInt16? {
        guard let highest, place <= highest else { return nil }
        for identifiers in [bound, received, released] {
            if let found = identifiers.first(where: { self[$0]?.place == place }) { return found }
        }
        return nil
    }

    /// Its binding is on disk: PUBLISH may go.
    func isReady(_ identifier: UInt16) -> Bool {
        guard let entry = self[identifier], entry.phase == .bound else { return false }
        return entry.commit <= lastEnded
    }

    // MARK: - What happens

    mutating func bind(_ identifier: UInt16, to place: Place) {
        precondition(self[identifier] == nil, "an identifier was bound twice")
        self[identifier] = Entry(place: place, phase: .bound, commit: lastBegun + 1)
        bound.append(identifier)
        highest = max(highest ?? place, place)
        isDirty = true
    }

    mutating func publish(_ identifier: UInt16, _ now: Instant) {
        entries[Int(identifier)]?.phase = .published
        entries[Int(identifier)]?.publishedAt = now
        entries[Int(identifier)]?.since = now
    }

    /// PUBREC came; false: not for one of these.
    mutating func receive(_ identifier: UInt16) -> Bool {
        guard self[identifier]?.phase == .published else { return false }
        moveToReceived(identifier)
        return true
    }

    /// The message is not to come any more. What the Server may have of it is cleared away.
    mutating func abandon(_ identifier: UInt16) {
        guard let entry = self[identifier], entry.phase == .bound || entry.phase == .published else { return }
        entries[Int(identifier)]?.place = nil
        moveToReceived(identifier)
    }

    /// The Server is to forget whatever it has under an identifier that nothing uses here.
    mutating func clear(_ identifier: UInt16) {
        guard self[identifier] == nil else { return }
        self[identifier] = Entry(place: nil, phase: .bound)
        bound.append(identifier)
        moveToReceived(identifier)
    }

    private mutating func moveToReceived(_ identifier: UInt16) {
        entries[Int(identifier)]?.phase = .received
        entries[Int(identifier)]?.since = nil
        Self.remove(identifier, from: &bound)
        received.append(identifier)
        isDirty = true
    }

    /// PUBREL went.
    mutating func release(_ identifier: UInt16, _ now: Instant) { entries[Int(identifier)]?.since = now }

    /// PUBCOMP came, or a PUBREC that refuses: the identifier is free. That needs no commit of its own: until the next one the
    /// disk says no more than that something has to be sent again which the Server then knows or not. Only the end of a
    /// clearing is noted, which would be done all over again.
    mutating func finish(_ identifier: UInt16) {
        guard let entry = self[identifier] else { return }
        self[identifier] = nil
        switch entry.phase {
        case .bound, .published: Self.remove(identifier, from: &bound)
        case .released: Self.remove(identifier, from: &released)
        case .received:
            if received.prefix(receivedInCommit).contains(identifier) { receivedInCommit -= 1 }
            Self.remove(identifier, from: &received)
        }
        if entry.place == nil, !(received + released).contains(where: { self[$0]?.place == nil }) { isDirty = true }
    }

    /// Gives up the bindings that nothing was sent under, and names their identifiers.
    mutating func unbindUnpublished() -> [UInt16] {
        let given = bound.filter { self[$0]?.phase == .bound && self[$0]?.mayBeThere == false }
        for identifier in given { finish(identifier) }
        return given
    }

    private static func remove(_ identifier: UInt16, from list: inout [UInt16]) {
        if let index = list.firstIndex(of: identifier) { list.remove(at: index) }
    }

    // MARK: - Connections

    mutating func disconnect() {
        for identifier in bound + released {
            if self[identifier]?.phase == .published {
                entries[Int(identifier)]?.phase = .bound
                entries[Int(identifier)]?.mayBeThere = true
            }
            entries[Int(identifier)]?.publishedAt = nil
            entries[Int(identifier)]?.since = nil
        }
    }

    /// The upstream has the Session: what was released has its PUBREL sent again.
    mutating func resume(_ now: Instant) {
        for identifier in released { entries[Int(identifier)]?.since = now }
    }

    /// Another Session begins, which knows nothing of these.
    ///
    /// - Returns: how many messages the one before may have taken.
    mutating func begin(session: String) -> Int {
        let doubtful = (bound + received + released).count { identifier in
            guard let entry = self[identifier], entry.place != nil else { return false }
            return entry.mayBeThere || entry.phase != .bound
        }
        if !isEmpty || self.session != session { isDirty = true }
        self.session = session
        for index in entries.indices { entries[index] = nil }
        bound = []
        received = []
        released = []
        receivedInCommit = 0
        return doubtful
    }

    // MARK: - Commits

    var isCommitting: Bool { lastBegun != lastEnded }
    var mustCommit: Bool { isDirty && !isCommitting }

    /// What is to be committed now; nil: nothing, or a commit is under way.
    mutating func beginCommit() -> ExactlyOnceRecord? {
        guard mustCommit else { return nil }
        isDirty = false
        lastBegun += 1
        receivedInCommit = received.count
        func stored(_ identifiers: [UInt16], isReleased: Bool) -> [ExactlyOnceRecord.Entry] {
            identifiers.map { identifier in
                ExactlyOnceRecord.Entry(
                    identifier: identifier,
                    message: self[identifier]?.place.map {
                        ExactlyOnceRecord.Message(
                            run: $0.numbering.run, lane: $0.numbering.lane, number: $0.number)
                    }, isReleased: isReleased)
            }
        }
        return ExactlyOnceRecord(
            session: session,
            entries: stored(released, isReleased: true) + stored(received, isReleased: true)
                + stored(bound, isReleased: false))
    }

    /// The commit is on disk. Names the identifiers whose PUBREL may go, in that order.
    mutating func endCommit() -> [UInt16] {
        lastEnded = lastBegun
        let due = Array(received.prefix(receivedInCommit))
        received.removeFirst(receivedInCommit)
        receivedInCommit = 0
        for identifier in due { entries[Int(identifier)]?.phase = .released }
        released += due
        return due
    }
}
