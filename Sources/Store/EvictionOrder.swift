/// Which stream gives up its oldest segment next: of the lowest class the one whose oldest segment is the oldest. Put in order
/// once an eviction, which takes many segments, rather than looking at all streams for each.
struct EvictionOrder {
    struct Place: Comparable {
        var evictionClass: EvictionClass
        /// Of the stream's oldest segment.
        var receivedAt: Int64
        var stream: Int64

        static func < (left: Place, right: Place) -> Bool {
            (left.evictionClass, left.receivedAt, left.stream) < (right.evictionClass, right.receivedAt, right.stream)
        }
    }

    /// The next one last.
    private var places: [Place]

    init(_ places: [Place]) { self.places = places.sorted(by: >) }

    /// The stream is out of the order until it is inserted again, with its next segment.
    mutating func takeNext() -> Int64? { places.popLast()?.stream }

    mutating func insert(_ place: Place) { places.insert(place, at: places.partitioningIndex { $0 < place }) }
}
