/// The subscriptions of one filter. A hundred thousand sessions may share it, so one's own is found by an index once there
/// are more than a few.
struct InterestList {
    private var interests: [SubscriptionTree.Interest] = []
    /// Places in `interests`, by session; empty while there are few.
    private var places: [ObjectIdentifier: Int] = [:]
    private static let few = 16

    var isEmpty: Bool { interests.isEmpty }

    func forEach(_ body: (SubscriptionTree.Interest) -> Void) { interests.forEach(body) }

    /// Adds, or takes the place of the subscriber's own; whether it is new.
    mutating func insert(_ interest: SubscriptionTree.Interest) -> Bool {
        if let place = place(of: interest.subscriber.identity) {
            interests[place] = interest
            return false
        }
        interests.append(interest)
        if !places.isEmpty {
            places[interest.subscriber.identity] = interests.count - 1
        } else if interests.count > Self.few {
            for (place, interest) in interests.enumerated() { places[interest.subscriber.identity] = place }
        }
        return true
    }

    /// Whether there was one. The last takes its place.
    mutating func remove(_ subscriber: SubscriptionTree.Interest.Subscriber) -> Bool {
        guard let place = place(of: subscriber.identity) else { return false }
        let last = interests.removeLast()
        if !places.isEmpty { places[subscriber.identity] = nil }
        if place < interests.count {
            interests[place] = last
            if !places.isEmpty { places[last.subscriber.identity] = place }
        }
        return true
    }

    private func place(of subscriber: ObjectIdentifier) -> Int? {
        guard places.isEmpty else { return places[subscriber] }
        return interests.firstIndex { $0.subscriber.identity == subscriber }
    }
}
